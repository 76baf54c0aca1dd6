#include "report.h"

#include "exits.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "scanning.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many names a list shows to people; JSON has them all. */
enum { SHOWN = 8, LONGEST_NAME = 80 };

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* ---- for people ---- */

static void add_name(struct text *line, const char *name, size_t length) {
    text_escape_cut(line, name, length, LONGEST_NAME);
}

static void print_line(struct text *line) {
    text_add_string(line, "\n");
    output_text(line);
    text_clear(line);
}

static void print_headline(const struct report *report, struct text *line) {
    const sft_conversion *done = report->conversion;
    uint64_t files = sft_conversion_files(done);
    const char *index = sft_conversion_index_path(done);
    const char *path = index != NULL ? index : sft_conversion_file(done, 0);
    text_escape(line, path, strlen(path), "");
    text_add_format(line, ": %s", report->dry_run ? "would be written: " : "");
    if (index != NULL) {
        text_add_format(line, "%" PRIu64 " file%s, ", files, plural(files));
    }
    uint64_t count = sft_conversion_count(done);
    text_add_format(line, "%" PRIu64 " tensor%s, %s", count, plural(count),
                    units_bytes(sft_conversion_bytes(done)).text);
    print_line(line);
    for (uint64_t i = 0; i < files && index != NULL; i++) {
        text_add_string(line, "  file       ");
        text_escape(line, sft_conversion_file(done, i), strlen(sft_conversion_file(done, i)), "");
        print_line(line);
    }
}

static void print_findings(const sft_scan_result *scan, struct text *line) {
    uint64_t count = sft_scan_count(scan);
    for (uint64_t i = 0; i < count && i < SHOWN; i++) {
        const sft_finding *finding = sft_scan_at(scan, i);
        text_add_format(line, "  %-9s  ", sft_severity_name(finding->severity));
        text_add_string(line, finding->where);
        text_add_string(line, ": ");
        text_add_string(line, finding->detail);
        print_line(line);
    }
    if (sft_scan_found(scan) > SHOWN) {
        text_add_format(line, "             and %" PRIu64 " more", sft_scan_found(scan) - SHOWN);
        print_line(line);
    }
}

static void print_sources(const sft_conversion *done, struct text *line) {
    for (uint64_t i = 0; i < sft_conversion_sources(done); i++) {
        const char *path = sft_conversion_source(done, i);
        const sft_scan_result *scan = sft_conversion_scan(done, i);
        text_add_string(line, "  from       ");
        text_escape(line, path, strlen(path), "");
        text_add_format(line, " (%s, %s)", sft_scan_format(scan),
                        sft_verdict_name(sft_scan_verdict(scan)));
        print_line(line);
        print_findings(scan, line);
    }
}

static void print_ties(const sft_conversion *done, struct text *line) {
    uint64_t count = sft_conversion_ties(done);
    for (uint64_t i = 0; i < count && i < SHOWN; i++) {
        const sft_tie *tie = sft_conversion_tie(done, i);
        text_add_string(line, "  tied       ");
        add_name(line, tie->dropped, tie->dropped_length);
        text_add_string(line, " is ");
        add_name(line, tie->kept, tie->kept_length);
        print_line(line);
    }
    if (count > SHOWN) {
        text_add_format(line, "             and %" PRIu64 " more", count - SHOWN);
        print_line(line);
    }
}

/* "3 int, 1 str": the kinds of what was dropped, in the order of their first appearance. */
static void add_kinds(struct text *line, const sft_conversion *done) {
    uint64_t count = sft_conversion_dropped_count(done);
    bool *told = memory_take((size_t)count + 1, sizeof *told);
    memset(told, 0, (size_t)count * sizeof *told);
    unsigned kinds = 0;
    for (uint64_t i = 0; i < count && kinds < SHOWN; i++) {
        const char *kind = sft_conversion_dropped(done, i)->kind;
        uint64_t same = 0;
        for (uint64_t j = i; j < count && !told[i]; j++) {
            bool equal = strcmp(sft_conversion_dropped(done, j)->kind, kind) == 0;
            same += equal;
            told[j] = told[j] || (equal && j > i);
        }
        if (same > 0) {
            text_add_format(line, "%s%" PRIu64 " ", kinds > 0 ? ", " : "", same);
            text_add_string(line, kind);
            kinds++;
        }
    }
    free(told);
}

static void print_dropped(const sft_conversion *done, struct text *line) {
    uint64_t total = sft_conversion_dropped_total(done);
    if (total == 0) {
        return;
    }
    text_add_format(line, "  dropped    %" PRIu64 " value%s: ", total, plural(total));
    add_kinds(line, done);
    print_line(line);
    uint64_t named = sft_conversion_dropped_count(done);
    text_add_string(line, "             ");
    for (uint64_t i = 0; i < named && i < SHOWN; i++) {
        const sft_dropped *dropped = sft_conversion_dropped(done, i);
        text_add_string(line, i > 0 ? ", " : "");
        add_name(line, dropped->name, dropped->name_length);
    }
    if (total > SHOWN) {
        text_add_format(line, " and %" PRIu64 " more", total - SHOWN);
    }
    print_line(line);
}

/* All else in the metadata are ties, which have lines of their own. */
static void print_format(const sft_conversion *done, struct text *line) {
    const sft_metadata_entry *first = sft_conversion_metadata(done, 0);
    if (first != NULL && first->key_length == 6 && memcmp(first->key, "format", 6) == 0) {
        text_add_string(line, "  metadata   format=");
        add_name(line, first->value, first->value_length);
        print_line(line);
    }
}

static void add_shape(struct text *line, const sft_converted *tensor) {
    text_add_string(line, "[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        text_add_format(line, "%s%" PRIu64, i > 0 ? "," : "", tensor->shape[i]);
    }
    text_add_string(line, "]");
}

static void print_plan(const sft_conversion *done, struct text *line) {
    for (uint64_t i = 0; i < sft_conversion_count(done); i++) {
        const sft_converted *tensor = sft_conversion_at(done, i);
        text_add_string(line, "  tensor     ");
        text_escape(line, tensor->name, tensor->name_length, "");
        text_add_format(line, "  %s  ", sft_dtype_name(tensor->dtype));
        add_shape(line, tensor);
        text_add_format(line, "  %s", units_bytes(tensor->size).text);
        print_line(line);
    }
}

void report_print(const struct report *report) {
    const sft_conversion *done = report->conversion;
    struct text line = TEXT_EMPTY;
    print_headline(report, &line);
    print_sources(done, &line);
    if (sft_conversion_wrapper(done) != NULL) {
        text_add_format(&line, "  unwrapped  %s", sft_conversion_wrapper(done));
        print_line(&line);
    }
    if (report->dry_run) {
        print_plan(done, &line);
    }
    print_ties(done, &line);
    print_dropped(done, &line);
    print_format(done, &line);
    if (sft_conversion_count(done) == 0) {
        text_add_format(&line, "  notice     the checkpoint holds no tensors: the file %s empty",
                        report->dry_run ? "would be" : "is");
        print_line(&line);
    }
    text_free(&line);
}

/* ---- for programs ---- */

static void json_text(const char *key, const char *text) {
    json_key(key);
    if (text != NULL) {
        json_string(text);
    } else {
        json_null();
    }
}

static void json_name(const char *key, const char *name, size_t length) {
    json_key(key);
    json_bytes(name, length);
}

static void json_numbers(const char *key, const uint64_t *numbers, uint32_t count) {
    json_key(key);
    json_begin_array();
    for (uint32_t i = 0; i < count; i++) {
        json_number(numbers[i]);
    }
    json_end_array();
}

static void json_tensor(const sft_conversion *done, const sft_converted *tensor) {
    json_begin_object();
    json_name("name", tensor->name, tensor->name_length);
    json_name("source_name", tensor->source_name, tensor->source_name_length);
    json_text("file", sft_conversion_file(done, tensor->file));
    json_text("dtype", sft_dtype_name(tensor->dtype));
    json_numbers("shape", tensor->shape, tensor->rank);
    if (tensor->strides != NULL) {
        json_numbers("strides", tensor->strides, tensor->rank);
    }
    json_key("source");
    json_begin_object();
    json_text("file", tensor->source_file);
    json_text("member", tensor->member);
    json_key("packed");
    json_bool(tensor->packed);
    json_key("offset");
    json_number(tensor->source_offset);
    json_end_object();
    json_key("bytes");
    json_number(tensor->size);
    json_end_object();
}

static void json_sources(const sft_conversion *done) {
    json_key("sources");
    json_begin_array();
    for (uint64_t i = 0; i < sft_conversion_sources(done); i++) {
        const struct scanned source = {.path = sft_conversion_source(done, i),
                                       .result = sft_conversion_scan(done, i)};
        scanned_print_json(&source);
    }
    json_end_array();
}

static void json_files(const sft_conversion *done) {
    json_key("files");
    json_begin_array();
    for (uint64_t i = 0; i < sft_conversion_files(done); i++) {
        json_string(sft_conversion_file(done, i));
    }
    json_end_array();
    json_text("index", sft_conversion_index_path(done));
}

static void json_ties(const sft_conversion *done) {
    json_key("ties");
    json_begin_array();
    for (uint64_t i = 0; i < sft_conversion_ties(done); i++) {
        const sft_tie *tie = sft_conversion_tie(done, i);
        json_begin_object();
        json_name("dropped", tie->dropped, tie->dropped_length);
        json_name("kept", tie->kept, tie->kept_length);
        json_end_object();
    }
    json_end_array();
}

static void json_dropped(const sft_conversion *done) {
    json_key("dropped");
    json_begin_object();
    json_key("total");
    json_number(sft_conversion_dropped_total(done));
    json_key("named");
    json_begin_array();
    for (uint64_t i = 0; i < sft_conversion_dropped_count(done); i++) {
        const sft_dropped *dropped = sft_conversion_dropped(done, i);
        json_begin_object();
        json_name("name", dropped->name, dropped->name_length);
        json_text("kind", dropped->kind);
        json_end_object();
    }
    json_end_array();
    json_end_object();
}

static void json_metadata(const sft_conversion *done) {
    json_key("metadata");
    json_begin_object();
    for (uint64_t i = 0; i < sft_conversion_metadata_count(done); i++) {
        const sft_metadata_entry *entry = sft_conversion_metadata(done, i);
        json_key_bytes(entry->key, entry->key_length);
        json_bytes(entry->value, entry->value_length);
    }
    json_end_object();
}

void report_print_json(const struct report *report) {
    const sft_conversion *done = report->conversion;
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_text("source", report->source);
    json_text("format", sft_conversion_format(done));
    json_key("dry_run");
    json_bool(report->dry_run);
    json_files(done);
    json_key("bytes");
    json_number(sft_conversion_bytes(done));
    json_sources(done);
    json_text("wrapper", sft_conversion_wrapper(done));
    json_metadata(done);
    json_key("tensors");
    json_begin_array();
    for (uint64_t i = 0; i < sft_conversion_count(done); i++) {
        json_tensor(done, sft_conversion_at(done, i));
    }
    json_end_array();
    json_ties(done);
    json_dropped(done);
    json_end_object();
    json_end();
}

/* ---- to a file ---- */

static bool write_all(int fd, const struct text *text) {
    for (size_t at = 0; at < text->length;) {
        ssize_t written = write(fd, text->bytes + at, text->length - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* A link to a name that is taken fails; renaming replaces what has the name. */
static bool give_name(const char *temporary, const char *path, bool force) {
    if (force) {
        return rename(temporary, path) == 0;
    }
    return link(temporary, path) == 0 && unlink(temporary) == 0;
}

static bool write_file(const struct text *text, const char *path, bool force) {
    const char *slash = strrchr(path, '/');
    struct text temporary = TEXT_EMPTY;
    text_add(&temporary, path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
    text_add_string(&temporary, ".sft-report.XXXXXX");
    int fd = mkstemp(temporary.bytes);
    bool good = fd >= 0;
    if (good) {
        mode_t mask = umask(0);
        umask(mask);
        good = fchmod(fd, 0666 & ~mask) == 0 && write_all(fd, text);
        good = close(fd) == 0 && good;
        good = good && give_name(temporary.bytes, path, force);
        if (!good) {
            int failure = errno;
            unlink(temporary.bytes);
            errno = failure;
        }
    }
    text_free(&temporary);
    return good;
}

int report_write(const struct report *report, const char *path, bool force) {
    struct text text = TEXT_EMPTY;
    output_capture(&text);
    report_print_json(report);
    output_capture(NULL);
    bool good = write_file(&text, path, force);
    int failure = errno;
    text_free(&text);
    if (!good) {
        message_line(path, failure == EEXIST ? "ALREADY_EXISTS" : "WRITE_FAILED",
                     "cannot write the report: %s", strerror(failure));
    }
    return good ? EXIT_FINE : EXIT_TROUBLE;
}
