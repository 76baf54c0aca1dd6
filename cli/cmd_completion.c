#include "commands.h"
#include "completions.h"
#include "message.h"
#include "output.h"

#include <string.h>

static int run_completion(const struct args *args) {
    int code = args_expect(args, 1, 1, "the name of a shell: bash, zsh or fish");
    if (code != EXIT_FINE) {
        return code;
    }
    const char *shell = args->operands[0];
    if (strcmp(shell, "bash") == 0) {
        output_bytes(completion_bash, completion_bash_size);
    } else if (strcmp(shell, "zsh") == 0) {
        output_bytes(completion_zsh, completion_zsh_size);
    } else if (strcmp(shell, "fish") == 0) {
        output_bytes(completion_fish, completion_fish_size);
    } else {
        return message_usage("there is no completion for \"%s\", only for bash, zsh and fish",
                             shell);
    }
    return EXIT_FINE;
}

static const struct option_spec options[] = {{NULL, 0, '\0', false}};

const struct command command_completion = {
    .name = "completion",
    .summary = "completion for a shell",
    .help = "Usage: sft completion bash|zsh|fish\n"
            "\n"
            "Prints the completion for a shell, to be read when it starts:\n"
            "\n"
            "  bash   source <(sft completion bash)\n"
            "  zsh    sft completion zsh > _sft, in a folder of $fpath\n"
            "  fish   sft completion fish | source\n",
    .options = options,
    .run = run_completion,
};
