/*
 * Break-glass inside of the room: the record of one opening is a Communication that also is the
 * alert (docs/formats/break-glass.md). Only the two operations write it.
 */
#ifndef API_GLASS_H
#define API_GLASS_H

#include "api_inner.h"

#define GLASS_CATEGORY "break-glass" /* of urn:menkou:alert */
#define GLASS_REASON   "urn:menkou:break-glass-reason"
#define GLASS_UNTIL    "urn:menkou:break-glass-until"
#define GLASS_EXTENDS  "urn:menkou:break-glass-extends"
#define GLASS_REVIEW   "urn:menkou:break-glass-review"
#define GLASS_VERDICT  "urn:menkou:break-glass-verdict"
#define GLASS_TEXT_MIN 4 /* characters of why, and of what the reviewer found */
#define GLASS_TEXT_MAX 500
#define GLASS_RIGHT    STR("$break-glass") /* in access_rights.def */

/* What is asked, and what is known of it when the record is written. */
typedef struct ApiGlass {
    Str patient, reason, text; /* "Patient/ID", a code, words */
    bool extend;
    Str before;       /* "Communication/ID" of the opening that is extended, or empty */
    Str name;         /* of the patient, masked */
    Str organization; /* in charge of the patient, or empty */
    const StoreHit *office;
    size_t office_n; /* posts of the consortium office */
    int64_t now_ms, until_ms;
} ApiGlass;

bool api_glass_is_record(const JsonDoc *communication);
/* The moment until which a record opens; TIME_NONE if it does not say. */
int64_t api_glass_until(const JsonDoc *communication);
/* 409, rule glass-record. */
Status api_glass_refuse(Err *err) MUST_USE;
/* What breaking the glass wrote is nobody's to change by a plain write; before may be NULL. */
Status api_glass_guard(ApiCall *c, const StoreVersion *before, Err *err) MUST_USE;
Str api_glass_body(ApiCall *c, const ApiGlass *g);
/* The record with the reviewer's verdict. */
Str api_glass_reviewed(ApiCall *c, const JsonDoc *record, Str verdict, Str text);

#endif
