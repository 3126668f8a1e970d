/*
 * The operator's commands, each with --help: init, user, check, export, reindex, import.
 * argv[0] is the command's own name; the result is the exit status of contracts 1.7.
 */
#ifndef CMD_ADMIN_H
#define CMD_ADMIN_H

int cmd_init(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_reindex(int argc, char **argv);
int cmd_import(int argc, char **argv);

#endif
