/*
 * Sight for those who count: one question per patient, many patients, the same answer as reads
 * and searches get. Lives in the arena it was made in; belongs to one thread.
 */
#ifndef STORE_SIGHT_H
#define STORE_SIGHT_H

#include "store.h"

typedef struct StoreSight StoreSight;

/* reader and view must outlive it. */
StoreSight *store_sight_new(StoreReader *r, Arena *a, const StoreView *view);
bool store_sight_patient(StoreSight *g, Str patient_id);

#endif
