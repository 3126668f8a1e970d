/*
 * Cmd: the command line. Each command is a function in a file of its own and a row in
 * commands.def. argv[0] is the command's name; the result is the exit status of contracts 1.7:
 * 0 done, 1 the work found faults, 2 wrong use, 3 the data directory is held or unknown.
 */
#ifndef CMD_H
#define CMD_H

#define COMMAND(name, function, words, summary) int function(int argc, char **argv);
#include "commands.def"
#undef COMMAND

#endif
