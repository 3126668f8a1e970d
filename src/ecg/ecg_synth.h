/*
 * Synthetic electrocardiograms for the demo county and for tests: twelve leads, ten seconds,
 * 500 Hz, 2.5 uV per LSB, the same for the same seed.
 *
 * The heart is a vector that moves (P, QRS, ST and T as sums of Gaussians in Frank's axes) and is
 * seen from eight leads by Dower's coefficients; III, aVR, aVL and aVF follow from I and II. Noise,
 * breathing and rhythm come from the seed.
 */
#ifndef ECG_SYNTH_H
#define ECG_SYNTH_H

#include "ecg.h"

typedef enum EcgSynthKind {
    ECG_SYNTH_NORMAL,
    ECG_SYNTH_BRADYCARDIA,
    ECG_SYNTH_TACHYCARDIA,
    ECG_SYNTH_AFIB,
    ECG_SYNTH_STEMI_INFERIOR, /* ST up in II III aVF, down in I aVL */
    ECG_SYNTH_STEMI_ANTERIOR, /* ST up in V1 … V4 */
    ECG_SYNTH_EXTRASYSTOLES,  /* ventricular, every few beats */
    ECG_SYNTH_KINDS
} EcgSynthKind;

/* "normal", "afib", "stemi-inferior" …; NULL past the end. */
const char *ecg_synth_name(EcgSynthKind kind);

/* Fills leads and device; patient and start are the caller's to set before writing. */
void ecg_synth(Arena *a, uint64_t seed, EcgSynthKind kind, EcgRecording *ret);

#endif
