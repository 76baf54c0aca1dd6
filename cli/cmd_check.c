#include "commands.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "progress.h"
#include "units.h"
#include "values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements that --finite looks at in one go; whole bytes for every dtype. */
enum { PIECE = 256 * 1024 };

/* What is wrong with one FILE, reported as it is found: a folder may have any number of defects. */
struct report {
    const char *path;
    bool json;
    bool quiet;
    uint64_t found;
    int code;
    struct text first; /* the first line, printed with the others once there is a second */
    sft_status first_status;
};

/* One defect, whoever has found it. */
struct defect {
    const char *code;
    const sft_error *where;
};

static void print_json_defect(const struct report *report, const struct defect *defect) {
    const sft_error *error = defect->where;
    json_begin_object();
    json_key("code");
    json_string(defect->code);
    json_key("message");
    json_string(error->message);
    if (error->byte != SFT_NO_BYTE) {
        json_key("byte");
        json_number(error->byte);
    }
    if (error->has_tensor) {
        json_key("tensor");
        json_bytes(error->tensor, error->tensor_length);
    }
    if (strcmp(error->file, report->path) != 0 && error->file[0] != '\0') {
        json_key("file");
        json_string(error->file);
    }
    json_end_object();
}

/* `FILE: CODE: sentence (…)`; a code of the command's own takes the place of the status's. */
static void describe(struct text *to, const struct defect *defect) {
    sft_error bare = *defect->where;
    const char *own = sft_status_name(bare.status);
    if (strcmp(defect->code, own) == 0) {
        message_error_text(to, &bare);
        return;
    }
    text_escape(to, bare.file, strlen(bare.file), "");
    text_add_format(to, ": %s", defect->code);
    bare.file[0] = '\0';
    struct text rest = TEXT_EMPTY;
    message_error_text(&rest, &bare);
    text_add_string(to, rest.bytes + strlen(own));
    text_free(&rest);
}

/*
 * Standard error gets one line a FILE. Where there is more to say, standard output
 * gets the whole list, or JSON does.
 */
static void report_defect(struct report *report, const struct defect *defect, int code) {
    report->found++;
    report->code = exit_worse(report->code, code);
    if (report->json) {
        print_json_defect(report, defect);
    }
    struct text line = TEXT_EMPTY;
    describe(&line, defect);
    if (report->found == 1) {
        text_add(&report->first, line.bytes, line.length);
        report->first_status = defect->where->status;
        message_text(&line);
    } else if (!report->json && !report->quiet) {
        if (report->found == 2) {
            output_text(&report->first);
            output_string("\n");
        }
        output_text(&line);
        output_string("\n");
    }
    text_free(&line);
}

static void report_error(struct report *report, const sft_error *error) {
    struct defect defect = {sft_status_name(error->status), error};
    report_defect(report, &defect, sft_status_is_defect(error->status) ? EXIT_NO : EXIT_TROUBLE);
}

static void on_defect(void *context, const sft_error *error) {
    struct report *report = context;
    sft_error named = *error;
    input_error_file(&named, report->path);
    report_error(report, &named);
}

static void report_special(struct report *report, const sft_model *model,
                           const sft_model_tensor *place, const struct special *special) {
    const sft_tensor *tensor = place->tensor;
    char sentence[160];
    snprintf(sentence, sizeof sentence,
             "%" PRIu64 " NaN and %" PRIu64 " infinite among %" PRIu64 " values of %s",
             special->nan, special->infinite, input_elements(tensor),
             sft_dtype_name(tensor->dtype));
    sft_error error;
    input_error(&error, SFT_OK, sft_model_shard_path(model, place->shard), sentence);
    input_error_tensor(&error, tensor->name, tensor->name_length);
    error.byte = sft_header_data_start(sft_file_header(place->file)) + tensor->begin +
                 special->first * (sft_dtype_bits(tensor->dtype) / 8);
    struct defect defect = {"NOT_FINITE", &error};
    report_defect(report, &defect, EXIT_NO);
}

static sft_status look_at(const sft_model_tensor *place, unsigned char *buffer,
                          struct special *special, sft_error *error) {
    const sft_tensor *tensor = place->tensor;
    uint64_t bytes_per_element = sft_dtype_bits(tensor->dtype) / 8;
    uint64_t elements = (tensor->end - tensor->begin) / bytes_per_element;
    for (uint64_t at = 0; at < elements;) {
        uint64_t count = elements - at < PIECE ? elements - at : PIECE;
        uint64_t size = count * bytes_per_element;
        sft_status status =
            sft_read_part(place->file, tensor, at * bytes_per_element, buffer, size, error);
        if (status != SFT_OK) {
            return status;
        }
        values_count_special(tensor->dtype, buffer, (size_t)count, at, special);
        progress_add(size);
        at += count;
    }
    return SFT_OK;
}

static void check_finite(struct report *report, const sft_model *model) {
    unsigned char *buffer = memory_take(PIECE, 8);
    progress_begin(input_bytes(model));
    uint64_t count = sft_model_count(model);
    for (uint64_t i = 0; i < count; i++) {
        sft_model_tensor place;
        if (!sft_model_at(model, i, &place)) {
            break;
        }
        if (!values_may_be_special(place.tensor->dtype)) {
            progress_add(place.tensor->end - place.tensor->begin);
            continue;
        }
        struct special special = {0, 0, 0};
        sft_error error;
        if (look_at(&place, buffer, &special, &error) != SFT_OK) {
            input_error_file(&error, sft_model_shard_path(model, place.shard));
            report_error(report, &error);
            break;
        }
        if (special.nan > 0 || special.infinite > 0) {
            report_special(report, model, &place, &special);
        }
    }
    progress_end();
    free(buffer);
}

static void print_sound(const char *path, const sft_model *model) {
    struct text name = TEXT_EMPTY;
    text_escape(&name, path, strlen(path), "");
    output_text(&name);
    uint64_t count = sft_model_count(model);
    output_format(": OK (%" PRIu64 " tensor%s, %s)\n", count, count == 1 ? "" : "s",
                  units_bytes(input_bytes(model)).text);
    text_free(&name);
}

static void check_model(struct report *report, const struct args *args) {
    sft_model *model;
    sft_error error;
    sft_status status = input_try(report->path, on_defect, report, &model, &error);
    if (status != SFT_OK) {
        /* The first defect was reported when it was found; trouble that came later was not. */
        if (report->found == 0 ||
            (!sft_status_is_defect(status) && status != report->first_status)) {
            report_error(report, &error);
        }
        return;
    }
    if (args->seen[OPTION_FINITE]) {
        check_finite(report, model);
    }
    if (report->found == 0 && !report->json && !report->quiet) {
        print_sound(report->path, model);
    }
    sft_model_close(model);
}

static int check_file(const struct args *args, const char *path) {
    struct report report = {
        path, args->seen[OPTION_JSON], args->seen[OPTION_QUIET], 0, EXIT_FINE, TEXT_EMPTY, SFT_OK};
    if (report.json) {
        json_begin_object();
        json_key("file");
        json_string(path);
        json_key("errors");
        json_begin_array();
    }
    check_model(&report, args);
    if (report.json) {
        json_end_array();
        json_key("valid");
        json_bool(report.found == 0);
        json_end_object();
    }
    text_free(&report.first);
    return report.code;
}

static int run_check(const struct args *args) {
    int code = args_expect(args, 1, SIZE_MAX, "a FILE");
    if (code != EXIT_FINE) {
        return code;
    }
    bool json = args->seen[OPTION_JSON];
    if (json) {
        json_begin_files();
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        code = exit_worse(code, check_file(args, args->operands[i]));
    }
    if (json) {
        json_end_files();
    }
    return code;
}

static const struct option_spec options[] = {{"json", OPTION_JSON, '\0', false},
                                             {"finite", OPTION_FINITE, '\0', false},
                                             {"quiet", OPTION_QUIET, 'q', false},
                                             {NULL, 0, '\0', false}};

const struct command command_check = {
    .name = "check",
    .summary = "all rules of the format; index against shards",
    .help = "Usage: sft check [--finite] [--json] [-q] FILE...\n"
            "\n"
            "Checks each FILE by all rules of the format; for a folder or an index each\n"
            "shard, and the index against the shards. A FILE that breaks a rule gives one\n"
            "line on standard error; if it breaks several, standard output lists them.\n"
            "\n"
            "  --finite     also look for NaN and infinity in the data\n"
            "  --json       one JSON document\n"
            "  -q, --quiet  say nothing about files that are sound, and list no defects\n"
            "\n"
            "Exit status: 0 sound, 1 a rule is broken, 3 the bytes could not be read.\n"
            "\n"
            "Example: sft check model/ && echo sound\n",
    .options = options,
    .run = run_check,
};
