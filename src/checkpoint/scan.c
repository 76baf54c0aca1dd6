#include "checkpoint/scan.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "checkpoint/walk.h"
#include "io/os.h"
#include "io/source.h"

#define DEFAULT_MEMORY (UINT64_C(192) << 20)
#define DEFAULT_ENTRIES UINT64_C(1000000)
#define DEFAULT_FINDINGS UINT64_C(1000)
#define DEFAULT_NESTING 4

struct sft_scan_result {
    sft_allocator allocator;
    sft_findings findings;
    const sft_finding **list;
    uint64_t count;
    sft_format format;
};

const char *sft_verdict_name(sft_verdict verdict) {
    static const char *const names[] = {"clean", "malformed", "unknown", "dangerous"};
    return (unsigned)verdict < sizeof names / sizeof names[0] ? names[verdict] : NULL;
}

const char *sft_severity_name(sft_severity severity) {
    static const char *const names[] = {"warning", "malformed", "unknown", "dangerous"};
    return (unsigned)severity < sizeof names / sizeof names[0] ? names[severity] : NULL;
}

/* ---- options ---- */

sft_status sft_scan_check(const sft_scan_options *given, sft_scan_options *known,
                          sft_error *error) {
    sft_status status = sft_options_check(given, "SFT_SCAN_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    sft_options_copy(known, sizeof *known, given);
    if (!sft_allocator_usable(known->allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the allocator lacks a function");
    }
    if (known->allowed == NULL && known->allowed_count > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "allowed names are counted, and not there");
    }
    for (uint64_t i = 0; i < known->allowed_count; i++) {
        if (known->allowed[i].module == NULL || known->allowed[i].name == NULL) {
            return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                            "an allowed name lacks its module or its name");
        }
    }
    return SFT_OK;
}

static uint64_t limit_of(uint64_t given, uint64_t otherwise) {
    return given != 0 ? given : otherwise;
}

static sft_scan_limits limits_of(const sft_scan_limits *given) {
    return (sft_scan_limits){
        .memory = limit_of(given->memory, DEFAULT_MEMORY),
        .entries = limit_of(given->entries, DEFAULT_ENTRIES),
        .inflated = limit_of(given->inflated, SFT_SCAN_INFLATED),
        .findings = limit_of(given->findings, DEFAULT_FINDINGS),
        .nesting = given->nesting != 0 ? given->nesting : DEFAULT_NESTING,
    };
}

/* ---- one scan ---- */

static sft_pair *pairs_of(const sft_scan_options *options, const sft_allocator *allocator) {
    sft_pair *pairs = sft_allocate_zeroed(allocator, options->allowed_count, sizeof *pairs);
    for (uint64_t i = 0; pairs != NULL && i < options->allowed_count; i++) {
        const sft_allowed *allowed = &options->allowed[i];
        pairs[i] = (sft_pair){allowed->module, strlen(allowed->module), allowed->name,
                              strlen(allowed->name)};
    }
    return pairs;
}

static sft_status make_list(sft_scan_result *result, sft_error *error) {
    result->list = sft_allocate(&result->allocator, result->findings.kept * sizeof *result->list);
    if (result->list == NULL) {
        return sft_fail_memory(error);
    }
    for (const sft_finding *finding = sft_findings_first(&result->findings); finding != NULL;
         finding = sft_findings_next(&result->findings, finding)) {
        result->list[result->count++] = finding;
    }
    return SFT_OK;
}

static sft_status scan(sft_scan_result *result, const sft_region *file,
                       const sft_scan_options *options, sft_walk *walk, sft_error *error) {
    sft_pair *pairs = pairs_of(options, &result->allocator);
    if (pairs == NULL) {
        return sft_fail_memory(error);
    }
    sft_walk_use_allocator(walk, &result->allocator);
    walk->limits = limits_of(&options->limits);
    walk->policy = (sft_policy){pairs, options->allowed_count};
    walk->findings = &result->findings;
    sft_findings_init(walk->findings, &result->allocator, walk->limits.findings);
    sft_root_begin(&walk->root, file, options);
    sft_status status = sft_walk_run(walk, error);
    result->format = walk->format;
    sft_release(&result->allocator, pairs, options->allowed_count * sizeof *pairs);
    return status == SFT_OK ? make_list(result, error) : status;
}

static sft_status scan_region(const sft_region *file, const sft_scan_options *options,
                              bool short_sums, sft_scan_result **result, sft_error *error) {
    sft_allocator allocator = sft_allocator_of(options->allocator);
    sft_scan_result *made = sft_allocate_zeroed(&allocator, 1, sizeof *made);
    sft_walk *walk = sft_allocate_zeroed(&allocator, 1, sizeof *walk);
    sft_status status = SFT_NO_MEMORY;
    if (made != NULL) {
        made->allocator = allocator;
    }
    if (made == NULL || walk == NULL) {
        sft_fail_memory(error);
    } else {
        walk->short_sums = short_sums;
        status = scan(made, file, options, walk, error);
    }
    sft_release(&allocator, walk, sizeof *walk);
    if (status != SFT_OK) {
        sft_scan_free(made);
        made = NULL;
    }
    *result = made;
    return status;
}

sft_status sft_scan_region(const sft_region *region, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error) {
    sft_scan_options known = SFT_SCAN_OPTIONS;
    *result = NULL;
    sft_status status = sft_scan_check(options, &known, error);
    return status == SFT_OK ? scan_region(region, &known, false, result, error) : status;
}

sft_status sft_scan_before_copy(const sft_region *region, const sft_scan_options *options,
                                sft_scan_result **result, sft_error *error) {
    sft_scan_options known = SFT_SCAN_OPTIONS;
    *result = NULL;
    sft_status status = sft_scan_check(options, &known, error);
    return status == SFT_OK ? scan_region(region, &known, true, result, error) : status;
}

/* ---- files, sources, memory ---- */

static sft_status check_arguments(const void *what, const sft_scan_options *options,
                                  sft_scan_options *known, sft_scan_result **result,
                                  sft_error *error) {
    if (result != NULL) {
        *result = NULL;
    }
    if (what == NULL || result == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "nothing to scan, or no place for the result");
    }
    return sft_scan_check(options, known, error);
}

static sft_status open_file(const char *path, int *fd, uint64_t *size, sft_error *error) {
    int failure = sft_os_open(path, fd);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    sft_os_info info;
    failure = sft_os_describe(*fd, &info);
    if (failure == 0 && info.regular) {
        *size = info.size;
        return SFT_OK;
    }
    sft_os_close(*fd);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    return sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                    info.folder ? "this is a folder, where a file is needed"
                                : "this is no regular file: a pipe or device cannot be read at "
                                  "will");
}

sft_status sft_scan(const char *path, const sft_scan_options *options, sft_scan_result **result,
                    sft_error *error) {
    sft_scan_options known = SFT_SCAN_OPTIONS;
    sft_status status = check_arguments(path, options, &known, result, error);
    if (status != SFT_OK) {
        return status;
    }
    int fd;
    sft_region file = {.fd = -1};
    status = open_file(path, &fd, &file.size, error);
    if (status == SFT_OK) {
        sft_source source = sft_source_of_fd(fd);
        file.source = &source;
        file.fd = fd;
        status = scan_region(&file, &known, false, result, error);
        source.close(source.context);
    }
    if (status != SFT_OK) {
        sft_error_file(error, path);
    }
    return status;
}

sft_status sft_scan_memory(const void *bytes, uint64_t size, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error) {
    /* Nothing at all is a file of no bytes, and has its verdict. */
    bytes = bytes == NULL && size == 0 ? "" : bytes;
    sft_scan_options known = SFT_SCAN_OPTIONS;
    sft_status status = check_arguments(bytes, options, &known, result, error);
    if (status == SFT_OK && size > PTRDIFF_MAX) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                          "no host has that much memory: is the size right?");
    }
    if (status != SFT_OK) {
        return status;
    }
    const sft_bytes from = {bytes, size};
    sft_source source = sft_source_of_bytes(&from);
    sft_region file = {&source, 0, size, -1, NULL};
    return scan_region(&file, &known, false, result, error);
}

sft_status sft_scan_source(const sft_source *source, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error) {
    sft_scan_options known = SFT_SCAN_OPTIONS;
    sft_status status = check_arguments(source, options, &known, result, error);
    if (status == SFT_OK && (source->size == NULL || source->read_at == NULL)) {
        sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                 "a source needs the functions size and read_at");
        return SFT_INVALID_ARGUMENT;
    }
    if (status != SFT_OK) {
        return status;
    }
    sft_region file = {.source = source, .fd = -1};
    int failure = source->size(source->context, &file.size);
    status = failure != 0
                 ? sft_fail_system(error, SFT_READ_FAILED, failure, "cannot tell the file's size")
                 : scan_region(&file, &known, false, result, error);
    if (source->close != NULL) {
        source->close(source->context);
    }
    return status;
}

/* ---- the result ---- */

void sft_scan_free(sft_scan_result *result) {
    if (result == NULL) {
        return;
    }
    sft_allocator allocator = result->allocator;
    if (result->list != NULL) {
        sft_release(&allocator, result->list, result->findings.kept * sizeof *result->list);
    }
    sft_findings_free(&result->findings);
    sft_release(&allocator, result, sizeof *result);
}

sft_verdict sft_scan_verdict(const sft_scan_result *result) {
    return result->findings.verdict;
}

const char *sft_scan_format(const sft_scan_result *result) {
    return sft_format_name(result->format);
}

sft_format sft_scan_result_format(const sft_scan_result *result) {
    return result->format;
}

bool sft_scan_recognized(const sft_scan_result *result) {
    return result->format != SFT_FORMAT_UNRECOGNIZED;
}

uint64_t sft_scan_count(const sft_scan_result *result) {
    return result->count;
}

uint64_t sft_scan_found(const sft_scan_result *result) {
    return result->findings.found;
}

const sft_finding *sft_scan_at(const sft_scan_result *result, uint64_t index) {
    return index < result->count ? result->list[index] : NULL;
}
