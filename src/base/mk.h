/* Everything of the room `base`, for the rooms above. */
#ifndef MK_H
#define MK_H

#include "mk_arena.h"
#include "mk_buf.h"
#include "mk_copy.h"
#include "mk_err.h"
#include "mk_file.h"
#include "mk_hash.h"
#include "mk_log.h"
#include "mk_map.h"
#include "mk_memory.h"
#include "mk_reader.h"
#include "mk_str.h"
#include "mk_time.h"
#include "mk_utf8.h"

#include "mk_banned.h"

#endif
