/*
 * The whole walk: the input is scanned as a file, whatever it is. There is a verdict for every
 * input, it is that of the worst finding, and all that is said can be printed. Read in small
 * pieces, the input is the same.
 */
#include "target.h"

#include <sft/scan.h>

typedef struct pieces {
    const uint8_t *bytes;
    size_t size;
} pieces;

static int pieces_size(void *context, uint64_t *size) {
    *size = ((const pieces *)context)->size;
    return 0;
}

static int64_t pieces_read(void *context, uint64_t offset, void *to, size_t size) {
    const pieces *from = context;
    if (offset >= from->size) {
        return 0;
    }
    size_t left = from->size - (size_t)offset;
    size_t moved = size < 1000 ? size : 1000;
    moved = moved < left ? moved : left;
    memcpy(to, from->bytes + offset, moved);
    return (int64_t)moved;
}

static void check_text(const char *text, int needed) {
    fuzz_require(text != NULL || !needed, "a finding without its words");
    for (; text != NULL && *text != '\0'; text++) {
        fuzz_require((unsigned char)*text >= 0x20 && *text != 0x7f,
                     "a finding that cannot be printed");
    }
}

static void check_finding(const sft_finding *finding) {
    fuzz_require(sft_severity_name(finding->severity) != NULL, "a severity without a name");
    check_text(finding->code, 1);
    check_text(finding->where, 1);
    check_text(finding->detail, 1);
    check_text(finding->member, 0);
    check_text(finding->opcode, 0);
    check_text(finding->global, 0);
    check_text(finding->call, 0);
    fuzz_require(finding->detail[0] != '\0' && finding->where[0] != '\0', "nothing is said");
}

static void check_result(const sft_scan_result *result) {
    sft_verdict worst = SFT_VERDICT_CLEAN;
    uint64_t count = sft_scan_count(result);
    for (uint64_t i = 0; i < count; i++) {
        const sft_finding *finding = sft_scan_at(result, i);
        check_finding(finding);
        if ((int)finding->severity > (int)worst) {
            worst = (sft_verdict)finding->severity;
        }
    }
    fuzz_require(worst == sft_scan_verdict(result), "the verdict is not that of the worst finding");
    fuzz_require(count <= sft_scan_found(result) && count <= 50, "more findings than there were");
    fuzz_require(sft_scan_format(result) != NULL, "a format without a name");
    fuzz_require(sft_scan_recognized(result) || worst != SFT_VERDICT_CLEAN,
                 "what is of no known kind is called clean");
}

static int same(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const sft_scan_result *a, const sft_scan_result *b) {
    fuzz_require(
        sft_scan_verdict(a) == sft_scan_verdict(b) && sft_scan_found(a) == sft_scan_found(b) &&
            sft_scan_count(a) == sft_scan_count(b) && same(sft_scan_format(a), sft_scan_format(b)),
        "in pieces the input is another");
    for (uint64_t i = 0; i < sft_scan_count(a); i++) {
        const sft_finding *one = sft_scan_at(a, i);
        const sft_finding *other = sft_scan_at(b, i);
        fuzz_require(same(one->code, other->code) && same(one->where, other->where) &&
                         same(one->detail, other->detail) && one->byte == other->byte,
                     "in pieces a finding is another");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.limits =
        (sft_scan_limits){.memory = 8 << 20, .entries = 1000, .inflated = 1 << 20, .findings = 50};
    sft_scan_result *result;
    sft_scan_result *again;
    fuzz_require(sft_scan_memory(data, size, &options, &result, NULL) == SFT_OK, "no verdict");
    check_result(result);
    pieces from = {data, size};
    sft_source source = {&from, pieces_size, pieces_read, NULL, NULL};
    fuzz_require(sft_scan_source(&source, &options, &again, NULL) == SFT_OK,
                 "no verdict in pieces");
    check_same(result, again);
    sft_scan_free(result);
    sft_scan_free(again);
    return 0;
}
