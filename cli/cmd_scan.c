#include "allowed.h"
#include "commands.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "progress.h"
#include "sarif.h"
#include "scanning.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum form { FORM_TEXT, FORM_JSON, FORM_SARIF };

struct scan {
    const struct args *args;
    enum form form;
    bool quiet;
    bool in_folder;                             /* the files come out of a folder */
    bool measures;                              /* progress has begun */
    uint64_t counts[SFT_VERDICT_DANGEROUS + 1]; /* of a folder's files, by their verdicts */
    uint64_t skipped;
    uint64_t unreadable;
    struct sarif sarif;
    sft_scan_options options;
    int code;
};

static bool on_progress(void *context, uint64_t done, uint64_t total) {
    struct scan *scan = context;
    if (!scan->measures) {
        progress_begin(total);
        scan->measures = true;
    }
    progress_set(done, total);
    return true;
}

static void report(struct scan *scan, const struct scanned *file) {
    if (file->result == NULL) {
        message_error(file->error);
    }
    switch (scan->form) {
    case FORM_JSON:
        scanned_print_json(file);
        break;
    case FORM_SARIF:
        sarif_add(&scan->sarif, file);
        break;
    case FORM_TEXT:
        scanned_print(file, scan->quiet);
        break;
    }
    if (!file->skipped) {
        scan->code = exit_worse(scan->code, scanned_code(file));
    }
}

static bool on_file(void *context, const char *path, const sft_scan_result *result,
                    const sft_error *error) {
    struct scan *scan = context;
    struct scanned file = {path, result, error, false};
    if (result == NULL) {
        scan->unreadable++;
    } else if (scan->in_folder && !sft_scan_recognized(result)) {
        scan->skipped++;
        file.skipped = true;
    } else {
        scan->counts[sft_scan_verdict(result)]++;
    }
    report(scan, &file);
    return true;
}

static void add_count(struct text *line, uint64_t count, const char *what, bool always) {
    if (count > 0 || always) {
        text_add_format(line, ", %" PRIu64 " %s", count, what);
    }
}

static void print_summary(const struct scan *scan, const char *path) {
    struct text line = TEXT_EMPTY;
    text_escape(&line, path, strlen(path), "");
    uint64_t files = scan->skipped + scan->unreadable;
    for (unsigned i = 0; i <= SFT_VERDICT_DANGEROUS; i++) {
        files += scan->counts[i];
    }
    text_add_format(&line, ": %" PRIu64 " file%s", files, files == 1 ? "" : "s");
    add_count(&line, scan->counts[SFT_VERDICT_CLEAN], "clean", true);
    add_count(&line, scan->counts[SFT_VERDICT_UNKNOWN], "unknown", true);
    add_count(&line, scan->counts[SFT_VERDICT_DANGEROUS], "dangerous", true);
    add_count(&line, scan->counts[SFT_VERDICT_MALFORMED], "malformed", true);
    add_count(&line, scan->unreadable, "unreadable", false);
    add_count(&line, scan->skipped, "skipped", true);
    text_add_string(&line, "\n");
    output_text(&line);
    text_free(&line);
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static void scan_operand(struct scan *scan, const char *path) {
    sft_error error;
    scan->in_folder = is_folder(path);
    scan->measures = false;
    memset(scan->counts, 0, sizeof scan->counts);
    scan->skipped = scan->unreadable = 0;
    bool refused = input_refuse_stdin(path, &error);
    if (refused || sft_scan_tree(path, &scan->options, on_file, scan, &error) != SFT_OK) {
        input_error_file(&error, path);
        struct scanned file = {path, NULL, &error, false};
        report(scan, &file);
    } else if (scan->in_folder && scan->form == FORM_TEXT && !scan->quiet) {
        print_summary(scan, path);
    }
    progress_end();
}

/* One FILE stands alone; what may be several is an array. */
static void scan_all(struct scan *scan) {
    const struct args *args = scan->args;
    bool array =
        scan->form == FORM_JSON && (args->operand_count > 1 || is_folder(args->operands[0]));
    if (array) {
        json_begin_array();
    } else if (scan->form == FORM_SARIF) {
        sarif_begin(&scan->sarif);
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        scan_operand(scan, args->operands[i]);
    }
    if (array) {
        json_end_array();
    } else if (scan->form == FORM_SARIF) {
        sarif_end(&scan->sarif);
    }
    if (scan->form != FORM_TEXT) {
        json_end();
    }
}

static int run_scan(const struct args *args) {
    int code = args_expect(args, 1, SIZE_MAX, "a FILE");
    if (code == EXIT_FINE && args->seen[OPTION_JSON] && args->seen[OPTION_SARIF]) {
        code = message_usage("scan: --json and --sarif exclude each other");
    }
    struct allowed allowed = {NULL, 0, 0};
    if (code == EXIT_FINE) {
        code = allowed_collect(&allowed, args);
    }
    if (code == EXIT_FINE) {
        struct scan scan = {.args = args,
                            .form = args->seen[OPTION_JSON]    ? FORM_JSON
                                    : args->seen[OPTION_SARIF] ? FORM_SARIF
                                                               : FORM_TEXT,
                            .quiet = args->seen[OPTION_QUIET],
                            .options = SFT_SCAN_OPTIONS};
        scan.options.allowed = allowed.pairs;
        scan.options.allowed_count = allowed.count;
        scan.options.progress = on_progress;
        scan.options.progress_context = &scan;
        scan_all(&scan);
        code = scan.code;
    }
    allowed_free(&allowed);
    return code;
}

static const struct option_spec options[] = {
    {"json", OPTION_JSON, '\0', false},  {"sarif", OPTION_SARIF, '\0', false},
    {"allow", OPTION_ALLOW, '\0', true}, {"policy", OPTION_POLICY, '\0', true},
    {"quiet", OPTION_QUIET, 'q', false}, {NULL, 0, '\0', false}};

const struct command command_scan = {
    .name = "scan",
    .summary = "what a checkpoint from a stranger would do when it is loaded",
    .help = "Usage: sft scan [--json | --sarif] [--allow MODULE.NAME]... [--policy FILE]\n"
            "                [-q] FILE|FOLDER...\n"
            "\n"
            "Tells what loading a checkpoint or pickle would do, without doing it: nothing\n"
            "is imported, called or executed. Archives are opened, folders are walked. A\n"
            "file is clean if it builds nothing but tensors and plain values; unknown if\n"
            "nobody here can vouch for it; dangerous if it runs code, imports, opens or\n"
            "fetches; malformed if it cannot be read as what it is.\n"
            "\n"
            "  --allow MODULE.NAME  vouch for a class or function; may be repeated\n"
            "  --policy FILE        the same for many: a line each, comments behind #\n"
            "  --json               one JSON document\n"
            "  --sarif              SARIF 2.1.0, for code-scanning dashboards\n"
            "  -q, --quiet          say nothing about clean files\n"
            "\n"
            "Exit status: 0 clean, 1 dangerous, 2 unknown, 3 malformed or unreadable; of\n"
            "several files the worst counts: 1, then 2, then 3.\n"
            "\n"
            "Example: sft scan --policy ours.txt downloads/ && echo clean\n",
    .options = options,
    .run = run_scan,
};
