/*
 * Custom search parameters: SearchParameters kept in the store that searches may use.
 *
 * Which there are follows from the log alone: each version of a SearchParameter has a number, its
 * place among all such versions, and the newest ones that are active and in order are in use. A new
 * one is filled in by every write from then on; a thread of the store makes the rows of what was
 * there before (store_params_build.c), and until it is done no search may use it. The rows of one
 * that was withdrawn or changed are taken out likewise.
 *
 * Which are in use is a table that never changes and is exchanged as a whole; it is read without a
 * lock and lives as long as the store.
 */
#ifndef STORE_PARAMS_H
#define STORE_PARAMS_H

#include "fhir_custom.h"
#include "store.h"

#define STORE_PARAMS_MAX 500u /* definitions in use at once */

typedef enum StoreParamState {
    STORE_PARAM_BUILDING,
    STORE_PARAM_READY,
    STORE_PARAM_FAULTY /* it says what cannot be: never used until it is written otherwise */
} StoreParamState;

typedef struct StoreParam {
    Str id, url, code; /* of the SearchParameter */
    const char *kind;  /* "token" … */
    StoreParamState state;
    uint64_t done, total; /* resources looked at, of all there are */
    Str zh, en;           /* of a faulty one */
} StoreParam;

/* Active SearchParameters, in the order of the log; published ones are not among them. */
void store_params_list(const Store *s, Arena *a, StoreParam **ret, size_t *ret_n);
/* Those that searches may use. */
const FhirCustoms *store_params_usable(const Store *s, Arena *a);
/* Changes whenever store_params_usable may. */
uint64_t store_params_news(const Store *s);
/* Judges a SearchParameter before it is written: ERR_UNPROCESSABLE. */
Status store_param_check(const Store *s, Arena *a, const JsonDoc *d, Err *err) MUST_USE;

#endif
