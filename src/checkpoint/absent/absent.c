/*
 * The public calls of sft/scan.h and sft/convert.h in a library that is built without readers of
 * other checkpoint formats (SFT_CHECKPOINTS=OFF): programs link with it as with any other, and are
 * told. No result is ever made, so that what looks at results has nothing to say.
 */
#include <sft/convert.h>
#include <sft/scan.h>
#include <stddef.h>

#include "base/error.h"

static sft_status absent(sft_error *error) {
    return sft_fail(error, SFT_UNSUPPORTED, SFT_NO_BYTE,
                    "this build has no readers of checkpoints: build with SFT_CHECKPOINTS=ON");
}

const char *sft_verdict_name(sft_verdict verdict) {
    (void)verdict;
    return NULL;
}

const char *sft_severity_name(sft_severity severity) {
    (void)severity;
    return NULL;
}

sft_status sft_scan(const char *path, const sft_scan_options *options, sft_scan_result **result,
                    sft_error *error) {
    (void)path;
    (void)options;
    if (result != NULL) {
        *result = NULL;
    }
    return absent(error);
}

sft_status sft_scan_memory(const void *bytes, uint64_t size, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error) {
    (void)bytes;
    (void)size;
    (void)options;
    if (result != NULL) {
        *result = NULL;
    }
    return absent(error);
}

sft_status sft_scan_source(const sft_source *source, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error) {
    (void)options;
    if (result != NULL) {
        *result = NULL;
    }
    if (source != NULL && source->close != NULL) {
        source->close(source->context);
    }
    return absent(error);
}

sft_status sft_scan_tree(const char *path, const sft_scan_options *options,
                         bool (*each)(void *context, const char *path,
                                      const sft_scan_result *result, const sft_error *error),
                         void *context, sft_error *error) {
    (void)path;
    (void)options;
    (void)each;
    (void)context;
    return absent(error);
}

void sft_scan_free(sft_scan_result *result) {
    (void)result;
}

sft_verdict sft_scan_verdict(const sft_scan_result *result) {
    (void)result;
    return SFT_VERDICT_UNKNOWN;
}

const char *sft_scan_format(const sft_scan_result *result) {
    (void)result;
    return NULL;
}

bool sft_scan_recognized(const sft_scan_result *result) {
    (void)result;
    return false;
}

uint64_t sft_scan_count(const sft_scan_result *result) {
    (void)result;
    return 0;
}

uint64_t sft_scan_found(const sft_scan_result *result) {
    (void)result;
    return 0;
}

const sft_finding *sft_scan_at(const sft_scan_result *result, uint64_t index) {
    (void)result;
    (void)index;
    return NULL;
}

sft_status sft_convert(const char *source, const char *target, const sft_convert_options *options,
                       sft_conversion **conversion, sft_error *error) {
    (void)source;
    (void)target;
    (void)options;
    if (conversion != NULL) {
        *conversion = NULL;
    }
    return absent(error);
}

void sft_conversion_free(sft_conversion *conversion) {
    (void)conversion;
}

uint64_t sft_conversion_count(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const sft_converted *sft_conversion_at(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

uint64_t sft_conversion_ties(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const sft_tie *sft_conversion_tie(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

uint64_t sft_conversion_dropped_total(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

uint64_t sft_conversion_dropped_count(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const sft_dropped *sft_conversion_dropped(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

const char *sft_conversion_wrapper(const sft_conversion *conversion) {
    (void)conversion;
    return NULL;
}

uint64_t sft_conversion_metadata_count(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const sft_metadata_entry *sft_conversion_metadata(const sft_conversion *conversion,
                                                  uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

uint64_t sft_conversion_files(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const char *sft_conversion_file(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

const char *sft_conversion_index_path(const sft_conversion *conversion) {
    (void)conversion;
    return NULL;
}

uint64_t sft_conversion_bytes(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const char *sft_conversion_format(const sft_conversion *conversion) {
    (void)conversion;
    return NULL;
}

uint64_t sft_conversion_sources(const sft_conversion *conversion) {
    (void)conversion;
    return 0;
}

const char *sft_conversion_source(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}

const sft_scan_result *sft_conversion_scan(const sft_conversion *conversion, uint64_t index) {
    (void)conversion;
    (void)index;
    return NULL;
}
