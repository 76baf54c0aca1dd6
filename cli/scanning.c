#include "scanning.h"

#include "exits.h"
#include "json.h"
#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

int scanned_code(const struct scanned *file) {
    if (file->result == NULL) {
        return EXIT_TROUBLE;
    }
    switch (sft_scan_verdict(file->result)) {
    case SFT_VERDICT_CLEAN:
        return EXIT_FINE;
    case SFT_VERDICT_DANGEROUS:
        return EXIT_NO;
    case SFT_VERDICT_UNKNOWN:
        return EXIT_UNVOUCHED;
    case SFT_VERDICT_MALFORMED:
        break;
    }
    return EXIT_TROUBLE;
}

/* ---- for people ---- */

static const char *colour_of(unsigned severity) {
    static const char *const colours[] = {"\033[32m", "\033[35m", "\033[33m", "\033[31m"};
    return output_is_terminal() && output_wants_colour() ? colours[severity] : "";
}

static void print_coloured(const char *word, unsigned severity) {
    const char *colour = colour_of(severity);
    output_format("%s%s%s", colour, word, *colour != '\0' ? "\033[0m" : "");
}

static void print_finding(const sft_finding *finding) {
    const char *severity = sft_severity_name(finding->severity);
    output_string("  ");
    print_coloured(severity, (unsigned)finding->severity);
    output_format("%*s", (int)(sizeof "dangerous  " - 1 - strlen(severity)), "");
    output_string(finding->where);
    output_string(": ");
    output_string(finding->detail);
    output_string("\n");
}

void scanned_print(const struct scanned *file, bool quiet) {
    const sft_scan_result *result = file->result;
    if (result == NULL || file->skipped ||
        (quiet && sft_scan_verdict(result) == SFT_VERDICT_CLEAN)) {
        return;
    }
    struct text path = TEXT_EMPTY;
    text_escape(&path, file->path, strlen(file->path), "");
    output_text(&path);
    text_free(&path);
    output_string(": ");
    print_coloured(sft_verdict_name(sft_scan_verdict(result)), (unsigned)sft_scan_verdict(result));
    output_format(" (%s)\n", sft_scan_format(result));
    uint64_t kept = sft_scan_count(result);
    for (uint64_t i = 0; i < kept; i++) {
        print_finding(sft_scan_at(result, i));
    }
    uint64_t found = sft_scan_found(result);
    if (found > kept) {
        output_format("  and %" PRIu64 " more\n", found - kept);
    }
    if (output_is_terminal()) {
        output_flush();
    }
}

/* ---- for programs ---- */

static void print_text(const char *key, const char *text) {
    if (text != NULL) {
        json_key(key);
        json_string(text);
    }
}

static void print_json_finding(const sft_finding *finding) {
    json_begin_object();
    print_text("severity", sft_severity_name(finding->severity));
    print_text("code", finding->code);
    print_text("where", finding->where);
    print_text("detail", finding->detail);
    print_text("member", finding->member);
    if (finding->byte != SFT_NO_BYTE) {
        json_key("byte");
        json_number(finding->byte);
    }
    print_text("opcode", finding->opcode);
    print_text("global", finding->global);
    print_text("call", finding->call);
    json_end_object();
}

/* What could not be read is as little vouched for as what could not be parsed. */
static void print_json_trouble(const sft_error *error) {
    sft_finding finding = {.severity = SFT_SEVERITY_MALFORMED,
                           .code = sft_status_name(error->status),
                           .where = "the file",
                           .detail = error->message,
                           .byte = error->byte};
    print_json_finding(&finding);
}

void scanned_print_json(const struct scanned *file) {
    const sft_scan_result *result = file->result;
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_key("file");
    json_string(file->path);
    print_text("verdict",
               sft_verdict_name(result != NULL ? sft_scan_verdict(result) : SFT_VERDICT_MALFORMED));
    print_text("format", result != NULL ? sft_scan_format(result) : "unrecognized");
    if (file->skipped) {
        json_key("skipped");
        json_bool(true);
    }
    json_key("findings");
    json_begin_array();
    for (uint64_t i = 0; result != NULL && i < sft_scan_count(result); i++) {
        print_json_finding(sft_scan_at(result, i));
    }
    if (result == NULL) {
        print_json_trouble(file->error);
    }
    json_end_array();
    json_key("found");
    json_number(result != NULL ? sft_scan_found(result) : 1);
    json_end_object();
}
