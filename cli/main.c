/*
 * sft: looks into, checks and edits safetensors files.
 */
#include "commands.h"
#include "message.h"
#include "output.h"

#include <locale.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_ls,   &command_info,    &command_header,     &command_check,
    &command_cat,  &command_meta,    &command_diff,       &command_hash,
    &command_scan, &command_convert, &command_completion,
};

static const char help_head[] = "Usage: sft COMMAND [options] FILE...\n"
                                "\n"
                                "Looks into, checks and edits safetensors files. A FILE may be a "
                                "file, a folder\n"
                                "of shards, or an index (*.index.json).\n"
                                "\n";

static const char help_foot[] =
    "\n"
    "sft COMMAND --help says more about a command; sft --version tells the version.\n"
    "\n"
    "Exit status: 0 fine, 1 the answer is no, 2 nobody can vouch for it, 3 could not\n"
    "be read or done, 64 wrong usage. With several inputs the worst counts: 1, then\n"
    "2, then 3.\n";

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int show_help(void) {
    output_string(help_head);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        output_format("  %-12s%s\n", commands[i]->name, commands[i]->summary);
    }
    output_string(help_foot);
    return EXIT_FINE;
}

static int unknown_command(const char *name) {
    return message_usage("there is no command \"%s\"; see sft --help", name);
}

/* `sft help` and `sft help COMMAND` */
static int help(int count, char **arguments) {
    if (count == 0) {
        return show_help();
    }
    if (count > 1) {
        return message_usage("help takes one COMMAND");
    }
    const struct command *command = find_command(arguments[0]);
    if (command == NULL) {
        return unknown_command(arguments[0]);
    }
    output_string(command->help);
    return EXIT_FINE;
}

static int run(const struct command *command, int count, char **arguments) {
    struct args args;
    int code =
        args_parse(&args, command->name, command->options, command->splits, count, arguments);
    if (code == EXIT_FINE) {
        if (args.seen[OPTION_HELP]) {
            output_string(command->help);
        } else {
            code = command->run(&args);
        }
    }
    args_free(&args);
    return code;
}

static int dispatch(int count, char **arguments) {
    if (count < 2) {
        return message_usage("which COMMAND? sft --help lists them");
    }
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return show_help();
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        output_format("sft %s\n", sft_version());
        return EXIT_FINE;
    }
    if (strcmp(name, "help") == 0) {
        return help(count - 2, arguments + 2);
    }
    const struct command *command = find_command(name);
    return command != NULL ? run(command, count - 2, arguments + 2) : unknown_command(name);
}

int main(int count, char **arguments) {
    output_begin();
    /* So that ? in a glob stands for a character and not for a byte. */
    setlocale(LC_CTYPE, "");
    return output_end(dispatch(count, arguments));
}
