/*
 * menkou ecg FILE… [--csv | --json | --svg LAYOUT]
 *
 * Reads one recording (SCP-ECG; a WFDB header with its signal files; a ZIP) with the decoder that
 * the server uses, and prints it: a readable summary, the integer samples as CSV, the Parameters
 * of `$ecg`, or a page on ECG paper. Results on stdout, one line on stderr when it cannot.
 * Exit: 0 done, 1 the recording is damaged or not one, 2 wrong use or a file that cannot be read.
 */
#ifndef CMD_ECG_H
#define CMD_ECG_H

int cmd_ecg(int argc, char **argv);

#endif
