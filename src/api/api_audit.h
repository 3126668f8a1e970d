/*
 * The trail as AuditEvents: for the audit administrator the type AuditEvent is the server's own
 * trail, read-only; for whoever sees everything (integrator, engine) it is what other systems have
 * stored, like any type (docs/decisions/036). Only for the files of this room.
 */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "access_trail.h"
#include "api_inner.h"

/* Whether this caller's AuditEvent is the trail. The right to read it is asked before. */
bool api_audit_is_asked(const ApiCall *c, Str type);
Status api_audit_page(ApiCall *c, Str query, ApiResult *ret, Err *err) MUST_USE;
/* id "log.N". */
Status api_audit_read(ApiCall *c, Str id, StoreVersion *ret, Err *err) MUST_USE;

/* A record as an AuditEvent with its id (api_audit_event.c). */
Str api_audit_event(ApiCall *c, const TrailRecord *record);
Str api_audit_id(Arena *a, uint64_t n);

#endif
