#include "allowed.h"
#include "commands.h"
#include "inputs.h"
#include "message.h"
#include "progress.h"
#include "report.h"
#include "signals.h"
#include "units.h"

#include <string.h>
#include <sys/stat.h>

static bool on_progress(void *context, uint64_t done, uint64_t total) {
    bool *measures = context;
    /* Each byte counts twice, for it is written and compared; people count it once. */
    if (!*measures && total > 0) {
        progress_begin(total / 2);
        *measures = true;
    }
    if (*measures) {
        progress_set(done / 2, total / 2);
    }
    return !signals_caught();
}

static int exit_for(sft_status status) {
    switch (status) {
    case SFT_OK:
        return EXIT_FINE;
    case SFT_DANGEROUS_SOURCE:
        return EXIT_NO;
    case SFT_UNVOUCHED_SOURCE:
        return EXIT_UNVOUCHED;
    case SFT_INVALID_ARGUMENT:
        return EXIT_USAGE;
    default:
        return EXIT_TROUBLE;
    }
}

static int read_options(const struct args *args, sft_convert_options *options) {
    const char *size = args->values[OPTION_MAX_SHARD_SIZE];
    options->key = args->values[OPTION_KEY];
    options->drop_prefix = args->values[OPTION_DROP_PREFIX];
    options->allow_unknown = args->seen[OPTION_ALLOW_UNKNOWN];
    options->dry_run = args->seen[OPTION_DRY_RUN];
    options->keep_existing = !args->seen[OPTION_FORCE];
    options->durable = args->seen[OPTION_DURABLE];
    if (size != NULL && !units_parse(size, &options->max_shard_size)) {
        return message_usage("convert: \"%s\" is no size: 5GB, 500MB, 2GiB, or bytes", size);
    }
    return EXIT_FINE;
}

static void tell_exists(const char *path) {
    message_line(path, sft_status_name(SFT_ALREADY_EXISTS), "the file exists: -f replaces it");
}

/* Nobody should wait for a conversion whose report then finds its place taken. */
static int check_report(const struct args *args) {
    const char *path = args->values[OPTION_REPORT];
    struct stat about;
    if (path != NULL && !args->seen[OPTION_FORCE] && lstat(path, &about) == 0) {
        tell_exists(path);
        return EXIT_TROUBLE;
    }
    return EXIT_FINE;
}

static bool is_same(const char *path, const char *other) {
    struct stat a;
    struct stat b;
    return other != NULL && stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Whether a path is that of what was converted, or of what became of it. */
static bool is_taken(const struct report *report, const char *path) {
    const sft_conversion *conversion = report->conversion;
    bool taken =
        is_same(path, report->source) || is_same(path, sft_conversion_index_path(conversion));
    for (uint64_t i = 0; i < sft_conversion_sources(conversion) && !taken; i++) {
        taken = is_same(path, sft_conversion_source(conversion, i));
    }
    for (uint64_t i = 0; i < sft_conversion_files(conversion) && !taken; i++) {
        taken = is_same(path, sft_conversion_file(conversion, i));
    }
    return taken;
}

static int write_report(const struct args *args, const struct report *report) {
    const char *path = args->values[OPTION_REPORT];
    if (path == NULL) {
        return EXIT_FINE;
    }
    if (is_taken(report, path)) {
        message_line(path, sft_status_name(SFT_INVALID_ARGUMENT),
                     "the report would replace the source or the result: it is not written");
        return EXIT_USAGE;
    }
    return report_write(report, path, args->seen[OPTION_FORCE]);
}

static int tell(const struct args *args, const struct report *report) {
    int code = write_report(args, report);
    if (args->seen[OPTION_JSON]) {
        report_print_json(report);
    } else {
        report_print(report);
    }
    return code;
}

/* The library does not know how this command is told to replace a file. */
static void tell_error(const sft_error *error) {
    if (error->status == SFT_ALREADY_EXISTS) {
        tell_exists(error->file);
    } else {
        message_error(error);
    }
}

static int convert(const struct args *args, sft_convert_options options) {
    const char *source = args->operands[0];
    sft_conversion *conversion = NULL;
    sft_error error;
    if (input_refuse_stdin(source, &error)) {
        message_error(&error);
        return EXIT_TROUBLE;
    }
    bool measures = false;
    options.progress = on_progress;
    options.progress_context = &measures;
    signals_catch();
    sft_status status =
        sft_convert(source, args->values[OPTION_OUTPUT], &options, &conversion, &error);
    progress_end();
    signals_deliver();
    int code = exit_for(status);
    if (status != SFT_OK) {
        input_error_file(&error, source);
        tell_error(&error);
    } else {
        const struct report report = {source, conversion, options.dry_run};
        code = tell(args, &report);
    }
    sft_conversion_free(conversion);
    return code;
}

static int run_convert(const struct args *args) {
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    struct allowed allowed = {NULL, 0, 0};
    int code = args_expect(args, 1, 1, "one SRC");
    code = code == EXIT_FINE ? read_options(args, &options) : code;
    code = code == EXIT_FINE ? allowed_collect(&allowed, args) : code;
    code = code == EXIT_FINE ? check_report(args) : code;
    if (code == EXIT_FINE) {
        options.scan.allowed = allowed.pairs;
        options.scan.allowed_count = allowed.count;
        code = convert(args, options);
    }
    allowed_free(&allowed);
    return code;
}

static const struct option_spec options[] = {{"output", OPTION_OUTPUT, 'o', true},
                                             {"max-shard-size", OPTION_MAX_SHARD_SIZE, '\0', true},
                                             {"key", OPTION_KEY, '\0', true},
                                             {"drop-prefix", OPTION_DROP_PREFIX, '\0', true},
                                             {"allow-unknown", OPTION_ALLOW_UNKNOWN, '\0', false},
                                             {"allow", OPTION_ALLOW, '\0', true},
                                             {"policy", OPTION_POLICY, '\0', true},
                                             {"dry-run", OPTION_DRY_RUN, 'n', false},
                                             {"to-json-report", OPTION_REPORT, '\0', true},
                                             {"force", OPTION_FORCE, 'f', false},
                                             {"durable", OPTION_DURABLE, '\0', false},
                                             {"json", OPTION_JSON, '\0', false},
                                             {NULL, 0, '\0', false}};

const struct command command_convert = {
    .name = "convert",
    .summary = "other checkpoint formats to safetensors",
    .help = "Usage: sft convert [options] SRC [-o DST]\n"
            "\n"
            "Converts what PyTorch, NumPy or joblib saved: a file, or a folder of shards with\n"
            "its index. Nothing in it is executed; what is not known to be harmless is\n"
            "refused. The new file is compared with the source before it gets its name.\n"
            "\n"
            "  -o, --output DST       the file or folder to make; default: beside SRC\n"
            "  -f, --force            replace files that exist\n"
            "  --max-shard-size SIZE  split as huggingface_hub does: 5GB, 500MB, 2GiB\n"
            "  --key KEY              only this part: state_dict, optimizer.state\n"
            "  --drop-prefix PREFIX   take PREFIX from the front of names\n"
            "  --allow-unknown        drop what nobody can vouch for, and convert the rest\n"
            "  --allow MODULE.NAME, --policy FILE  as in sft scan\n"
            "  -n, --dry-run          tell what would be done\n"
            "  --to-json-report FILE  write what came from where\n"
            "  --durable              flush to the disk before success\n"
            "  --json                 the report instead of text\n"
            "\n"
            "Exit status: 1 dangerous, 2 unknown, 3 refused for another reason.\n"
            "Example: sft convert pytorch_model.bin\n",
    .options = options,
    .run = run_convert,
};
