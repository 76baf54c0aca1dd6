#include "commands.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "progress.h"
#include "signals.h"

#include <stdlib.h>
#include <string.h>

/* A value may go over several lines; a list may not, or a value could pass for an entry. */
static void print_value(const sft_metadata_entry *entry) {
    if (output_is_terminal()) {
        struct text text = TEXT_EMPTY;
        text_escape(&text, entry->value, entry->value_length, "\n\t");
        output_text(&text);
        text_free(&text);
    } else {
        output_bytes(entry->value, entry->value_length);
    }
    output_string("\n");
}

static void print_entries(const sft_header *header) {
    struct text line = TEXT_EMPTY;
    for (uint64_t i = 0; i < sft_header_metadata_count(header); i++) {
        const sft_metadata_entry *entry = sft_header_metadata_at(header, i);
        text_clear(&line);
        text_escape(&line, entry->key, entry->key_length, "");
        text_add_string(&line, "=");
        text_escape(&line, entry->value, entry->value_length, "");
        text_add_string(&line, "\n");
        output_text(&line);
    }
    text_free(&line);
}

static void print_json(const char *path, const sft_model *model, const char *key,
                       const sft_metadata_entry *entry) {
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_key("file");
    json_string(path);
    if (key == NULL) {
        input_json_metadata(model);
    } else {
        json_key("key");
        json_string(key);
        json_key("value");
        if (entry != NULL) {
            json_bytes(entry->value, entry->value_length);
        } else {
            json_null();
        }
    }
    json_end_object();
    json_end();
}

static int get(const struct args *args) {
    if (args->operand_count < 2 || args->operand_count > 3) {
        return message_usage("meta get needs a FILE and at most one KEY; see sft meta --help");
    }
    const char *path = args->operands[1];
    const char *key = args->operand_count == 3 ? args->operands[2] : NULL;
    sft_model *model;
    int code = input_open_single(path, &model);
    if (code != EXIT_FINE) {
        return code;
    }
    const sft_header *header = sft_file_header(sft_model_shard(model, 0));
    const sft_metadata_entry *entry =
        key != NULL ? sft_header_metadata_find(header, key, strlen(key)) : NULL;
    if (key != NULL && entry == NULL) {
        message_line(path, sft_status_name(SFT_NOT_FOUND), "the metadata has no key \"%s\"", key);
        code = EXIT_NO;
    }
    if (args->seen[OPTION_JSON]) {
        print_json(path, model, key, entry);
    } else if (entry != NULL) {
        print_value(entry);
    } else if (key == NULL) {
        print_entries(header);
    }
    sft_model_close(model);
    return code;
}

static bool report_progress(void *context, uint64_t done, uint64_t total) {
    (void)context;
    progress_set(done, total);
    return !signals_caught();
}

static const char *how(sft_edit_result result) {
    switch (result) {
    case SFT_EDIT_NOTHING:
        return "nothing to change";
    case SFT_EDIT_IN_PLACE:
        return "changed in place";
    default:
        return "a new file took its place";
    }
}

static int exit_for(sft_status status) {
    switch (status) {
    case SFT_OK:
        return EXIT_FINE;
    case SFT_NOT_FOUND:
        return EXIT_NO;
    case SFT_INVALID_NAME:
        return EXIT_USAGE;
    default:
        return EXIT_TROUBLE;
    }
}

static int edit(const struct args *args, const sft_metadata_change *changes, size_t count,
                uint64_t size) {
    const char *path = args->operands[1];
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.progress = report_progress;
    sft_edit_result result = SFT_EDIT_NOTHING;
    sft_error error;
    progress_begin(size);
    signals_catch();
    sft_status status = sft_edit_metadata(path, changes, count, &options, &result, &error);
    progress_end();
    signals_deliver();
    if (status != SFT_OK) {
        input_error_file(&error, path);
        message_error(&error);
    } else if (args->seen[OPTION_VERBOSE]) {
        struct text name = TEXT_EMPTY;
        text_escape(&name, path, strlen(path), "");
        output_text(&name);
        output_format(": %s\n", how(result));
        text_free(&name);
    }
    return exit_for(status);
}

static int parse_change(const char *argument, bool removes, sft_metadata_change *change) {
    memset(change, 0, sizeof *change);
    change->key = argument;
    change->key_length = strlen(argument);
    if (removes) {
        return EXIT_FINE;
    }
    const char *equals = strchr(argument, '=');
    if (equals == NULL) {
        return message_usage("meta set needs KEY=VALUE, not \"%s\"", argument);
    }
    change->key_length = (size_t)(equals - argument);
    change->value = equals + 1;
    change->value_length = strlen(equals + 1);
    return EXIT_FINE;
}

static int change(const struct args *args, bool removes) {
    if (args->seen[OPTION_JSON]) {
        return message_usage("meta: --json goes with get");
    }
    if (args->operand_count < 3) {
        return message_usage("meta %s needs a FILE and a %s; see sft meta --help",
                             args->operands[0], removes ? "KEY" : "KEY=VALUE");
    }
    size_t count = args->operand_count - 2;
    sft_metadata_change *changes = memory_take(count, sizeof *changes);
    int code = EXIT_FINE;
    for (size_t i = 0; i < count && code == EXIT_FINE; i++) {
        code = parse_change(args->operands[2 + i], removes, &changes[i]);
    }
    sft_model *model;
    if (code == EXIT_FINE) {
        code = input_open_single(args->operands[1], &model);
    }
    if (code == EXIT_FINE) {
        uint64_t size = sft_file_size(sft_model_shard(model, 0));
        sft_model_close(model);
        code = edit(args, changes, count, size);
    }
    free(changes);
    return code;
}

static int run_meta(const struct args *args) {
    const char *action = args->operand_count > 0 ? args->operands[0] : "";
    if (strcmp(action, "get") == 0) {
        return get(args);
    }
    if (strcmp(action, "set") == 0 || strcmp(action, "rm") == 0) {
        return change(args, strcmp(action, "rm") == 0);
    }
    return message_usage("meta needs get, set or rm; see sft meta --help");
}

static const struct option_spec options[] = {{"json", OPTION_JSON, '\0', false},
                                             {"verbose", OPTION_VERBOSE, 'v', false},
                                             {NULL, 0, '\0', false}};

const struct command command_meta = {
    .name = "meta",
    .summary = "read and edit the metadata",
    .help = "Usage: sft meta get [--json] FILE [KEY]\n"
            "       sft meta set [-v] FILE KEY=VALUE...\n"
            "       sft meta rm [-v] FILE KEY...\n"
            "\n"
            "Prints the value of a key, or all entries as KEY=VALUE; sets entries; removes\n"
            "them. The data is not rewritten where the header has room; otherwise a new file\n"
            "takes the old one's place in one step.\n"
            "\n"
            "  --json         with get: one JSON document\n"
            "  -v, --verbose  with set and rm: tell how it was done\n"
            "\n"
            "FILE is one file, no folder and no index. Exit status 1: there is no such key.\n"
            "\n"
            "Example: sft meta set model.safetensors license=apache-2.0\n",
    .options = options,
    .run = run_meta,
};
