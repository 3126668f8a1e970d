/*
 * Writing a recording as SCP-ECG 2.x: sections 0, 1, 2 (default Huffman table), 3 and 6, with the
 * order of differences that packs best. What ecg_read reads back is equal sample for sample.
 */
#ifndef ECG_WRITE_H
#define ECG_WRITE_H

#include "ecg.h"

/*
 * All leads need one rate, length and gain (a whole number of nV up to 65535), zero 0, standard
 * names, and 16-bit samples; ERR_UNPROCESSABLE says which is not so. Appends to b.
 */
Status ecg_write_scp(Buf *b, const EcgRecording *rec, Err *err) MUST_USE;

#endif
