/*
 * The layout of a JSON text: the blanks between its tokens, told apart from the tokens, so that a
 * text that people or their tools broke into lines can be kept as its tokens and a few bytes.
 *
 * Most programs lay out by one rule: a line for each member, indented by `unit` for each level
 * from `base`; arrays in lines of their own or on one line; or no lines and a blank behind each
 * comma and colon. What differs from the rule (members spliced in without blanks) is a short list
 * of runs. A text with more differences than that has no layout and is kept as it is.
 *
 * Form: rule (u8), unit (u8), base (u8), bytes of the whole text (varint), runs (u8), each run
 * gaps since the end of the one before (varint), gaps (varint), bytes (u8), its blanks.
 * Gap i lies between tokens i and i + 1; varint: seven bits a byte, least first.
 */
#ifndef JSON_LAYOUT_H
#define JSON_LAYOUT_H

#include "mk.h"

/*
 * False: without a layout (no blanks at all, or irregular). The text is taken to be valid JSON;
 * whoever keeps the parts joins them once and compares.
 */
bool json_layout_split(Arena *a, Str text, Str *ret_layout, Str *ret_tokens);
/* False: the parts are damaged. The text is followed by a NUL that n does not count. */
bool json_layout_join(Arena *a, Str layout, Str tokens, Str *ret_text);
/* The text without the blanks between its tokens. */
Str json_compact(Arena *a, Str text);

#endif
