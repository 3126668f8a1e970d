/*
 * Those of a type that refer to anything by a parameter, found by the index's own rows: it costs
 * what there is of them, not what there is of the type. For a parameter that few have.
 */
#ifndef STORE_REFER_H
#define STORE_REFER_H

#include "fhir_params.h"
#include "store_heads.h"

/*
 * Tells the newest version of each, in no order, perhaps twice; also of resources that the index
 * does not have yet, whether they refer or not. Not of what was deleted or purged.
 */
Status store_referring(StoreReader *r, const FhirType *type, const FhirParam *param,
                       StoreHeadTold *told, void *ctx, Err *err) MUST_USE;

#endif
