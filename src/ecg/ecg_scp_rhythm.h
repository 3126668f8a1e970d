/*
 * The rhythm of an SCP-ECG record, inside the room: what sections 4, 5 and 6 say, and the undoing
 * of lossy compression. docs/formats/ecg-scp.md tells the rules.
 */
#ifndef ECG_SCP_RHYTHM_H
#define ECG_SCP_RHYTHM_H

#include "ecg_scp.h"

typedef struct ScpZone {
    uint32_t first, last; /* sample numbers, from 1, inclusive */
} ScpZone;

typedef struct ScpBeat {
    uint16_t type; /* only type 0 had the reference subtracted */
    uint32_t fiducial;
    ScpZone zone;
} ScpBeat;

typedef struct ScpQrs { /* section 4 */
    uint16_t reference_ms, fiducial;
    size_t n;
    ScpBeat *beat;
    size_t n_protected;
    ScpZone *protected_zone; /* ordered, apart */
} ScpQrs;

typedef struct ScpWave { /* the head of section 5 or 6 */
    uint16_t unit_nv, interval_us;
    uint8_t difference, bimodal;
    Str data[ECG_LEADS_MAX];
} ScpWave;

typedef struct ScpRhythm {
    const Scp *scp;
    ScpCoding coding;
    ScpQrs qrs;
    ScpWave reference, rhythm;
    uint32_t ratio; /* 1: nothing was thinned out */
    int32_t *beat[ECG_LEADS_MAX];
    size_t beat_n;
} ScpRhythm;

/* Section 4. Zones of beats that had the reference subtracted are ordered and apart. */
Status ecg_scp_read_qrs(const Scp *scp, ScpQrs *q) MUST_USE;

/* How many numbers section 6 keeps for a lead. */
size_t ecg_scp_stored_count(const ScpRhythm *y, const ScpLead *l);
/* Draws what was thinned out between its stored numbers; `out` holds l->n samples. */
void ecg_scp_segments_draw(const ScpRhythm *y, const ScpLead *l, const int32_t *stored,
                           int32_t *out);
/* Adds the reference beat in each subtraction zone. */
void ecg_scp_reference_add(const ScpRhythm *y, int lead, int32_t *out);
/* a / b, rounded to the nearest, halves away from 0; b > 0. */
int32_t ecg_scp_divide_round(int64_t a, int64_t b);

#endif
