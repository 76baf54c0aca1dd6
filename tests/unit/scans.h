/* Scans of bytes in memory, and what they found in one line. Include after fixture.h. */
#ifndef SFT_TESTS_SCANS_H
#define SFT_TESTS_SCANS_H

#include <inttypes.h>

/* A text with its size; it may hold NUL. */
#define BYTES(text) (text), sizeof(text) - 1

/* A payload that would be run, 23 bytes, and a harmless pickle. */
#define PAYLOAD                                                                                    \
    "\x80\x02"                                                                                     \
    "cos\nsystem\nX\x02\0\0\0id\x85R."
#define HARMLESS "\x80\x02}q\0."

static inline sft_scan_result *scan_with(const void *from, size_t size,
                                         const sft_scan_options *options) {
    /* In a piece of exactly its size, so that a read beyond it is seen. */
    void *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, from, size);
    sft_scan_result *result = NULL;
    sft_error error = {.status = SFT_OK};
    sft_status status = sft_scan_memory(copy, size, options, &result, &error);
    free(copy);
    if (status != SFT_OK) {
        fail_msg("%s: %s", sft_status_name(status), error.message);
    }
    return result;
}

/* "verdict format: CODE CODE", with each finding's place: "dangerous pickle: DANGEROUS_CALL@20". */
static inline void scan_line(const sft_scan_result *result, char *line, size_t size) {
    snprintf(line, size, "%s %s:", sft_verdict_name(sft_scan_verdict(result)),
             sft_scan_format(result));
    for (uint64_t i = 0; i < sft_scan_count(result); i++) {
        const sft_finding *finding = sft_scan_at(result, i);
        size_t used = strlen(line);
        snprintf(line + used, size - used, " %s", finding->code);
        used = strlen(line);
        if (finding->member != NULL) {
            snprintf(line + used, size - used, "(%s)", finding->member);
        }
        used = strlen(line);
        if (finding->byte != SFT_NO_BYTE) {
            snprintf(line + used, size - used, "@%" PRIu64, finding->byte);
        }
    }
}

static inline void expect_line(const sft_scan_result *result, const char *wanted) {
    char line[4096];
    scan_line(result, line, sizeof line);
    assert_string_equal(line, wanted);
}

static inline void expect_scan_with(const void *from, size_t size, const sft_scan_options *options,
                                    const char *wanted) {
    sft_scan_result *result = scan_with(from, size, options);
    expect_line(result, wanted);
    sft_scan_free(result);
}

static inline void expect_scan(const void *from, size_t size, const char *wanted) {
    expect_scan_with(from, size, NULL, wanted);
}

#endif
