/*
 * Addresses outside that an administrator has allowed: where notifications may be sent
 * (ALLOW_TARGETS) and where bulk data may be fetched (ALLOW_SOURCES). Each list is a setting, a
 * prefix a line; what follows a prefix must not make another host of it.
 */
#ifndef API_ALLOW_H
#define API_ALLOW_H

#include "api_inner.h"

#define ALLOW_TARGETS STR("hook-targets")
#define ALLOW_SOURCES STR("import-sources")

bool api_allowed(StoreReader *r, Str list, Str url);

#endif
