#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mk_version.h"

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *words, *summary;
} Command;

static const Command COMMANDS[] = {
#define COMMAND(name, function, words, summary) {name, function, words, summary},
#include "commands.def"
#undef COMMAND
};

static void help_print(FILE *out)
{
    fputs("menkou: the platform of a county medical consortium\n\n", out);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        const Command *c = &COMMANDS[i];
        fprintf(out, "  menkou %-9s %-42s %s\n", c->name, c->words, c->summary);
    }
    fputs("\nEach command answers --help.\n", out);
}

int main(int argc, char **argv)
{
    umask(0077); /* whatever is written holds patients' data, or leads to them */
    if (argc < 2) {
        fputs("menkou: a command is missing; see menkou --help\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help_print(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("menkou %s\n", MK_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) == 0) {
            return COMMANDS[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "menkou: there is no command '%s'; see menkou --help\n", argv[1]);
    return 2;
}
