/*
 * The Parameters answer of `GET /fhir/Binary/{id}/$ecg`; docs/formats/ecg-parameters.md has the
 * exact shape. Written straight into a Buf; the caller looks at buf.failed.
 */
#ifndef ECG_PARAMETERS_H
#define ECG_PARAMETERS_H

#include "ecg.h"

/* `part`: what was asked for, so that the answer says where its samples stand; NULL: all of it.
 * `not_for_diagnosis` is said to whoever draws it. */
void ecg_parameters_write(Buf *b, const EcgRecording *rec, const EcgPart *part,
                          bool not_for_diagnosis);

#endif
