/* Conversion: scan, find, plan, and only then the first byte of a new file. */
#include <sft/convert.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"
#include "base/utf8.h"
#include "checkpoint/conversion.h"
#include "checkpoint/parts.h"
#include "checkpoint/produce.h"
#include "checkpoint/refuse.h"
#include "checkpoint/scan.h"
#include "io/os.h"
#include "io/source.h"

/* A source that is open from its scan to the last byte that is copied. */
typedef struct part {
    sft_source source;
    bool open;
    sft_os_info info;
    sft_region region;
    sft_found found;
    bool has_found;
} part;

typedef struct converter {
    sft_convert_options options;
    sft_allocator allocator;
    sft_arena arena;
    uint64_t seed[2];
    const char *target;
    sft_parts parts;
    part *opened; /* one for each of parts.paths */
    const sft_found **founds;
    sft_plan plan;
    sft_split split;
    sft_target files;
    sft_conversion *conversion;
    sft_error *error;
} converter;

/* ---- options ---- */

static sft_status check_options(const sft_convert_options *given, sft_convert_options *options,
                                sft_error *error) {
    static const sft_convert_options defaults = SFT_CONVERT_OPTIONS;
    *options = defaults;
    if (sft_options_check(given, "SFT_CONVERT_OPTIONS", error) != SFT_OK) {
        return SFT_INVALID_ARGUMENT;
    }
    sft_options_copy(options, sizeof *options, given);
    if (!sft_allocator_usable(options->allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the allocator lacks a function");
    }
    sft_scan_options scan = options->scan;
    if (scan.struct_size == 0) {
        scan.struct_size = sizeof scan; /* zeros are the defaults of all else */
    }
    return sft_scan_check(&scan, &options->scan, error);
}

/* Only a look whether to go on: how much there will be to do is not known yet. */
static bool scan_progress(void *context, uint64_t done, uint64_t total) {
    const sft_convert_options *options = context;
    (void)done;
    (void)total;
    return options->progress(options->progress_context, 0, 0);
}

/* ---- sources ---- */

static sft_status open_part(converter *c, const char *path, part *p) {
    int fd;
    int failure = sft_os_open(path, &fd);
    if (failure != 0) {
        return sft_fail_system(
            c->error, c->parts.sharded && failure == ENOENT ? SFT_MISSING_SHARD : SFT_OPEN_FAILED,
            failure, "cannot open");
    }
    p->source = sft_source_of_fd(fd);
    p->open = true;
    failure = sft_os_describe(fd, &p->info);
    if (failure != 0) {
        return sft_fail_system(c->error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    if (!p->info.regular) {
        return sft_fail(c->error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                        p->info.folder
                            ? "a folder, where a file is needed"
                            : "a pipe, socket or device: only regular files can be read in "
                              "any order");
    }
    p->region = (sft_region){&p->source, 0, p->info.size, fd, NULL};
    return SFT_OK;
}

static sft_status scan_part(converter *c, uint64_t number) {
    sft_scan_options options = c->options.scan;
    options.allocator = &c->allocator;
    options.progress = c->options.progress != NULL ? scan_progress : NULL;
    options.progress_context = &c->options;
    sft_scan_result **scan = &c->conversion->sources[number].scan;
    sft_status status = sft_scan_before_copy(&c->opened[number].region, &options, scan, c->error);
    if (status != SFT_OK) {
        *scan = NULL;
        return status;
    }
    return sft_refuse_scanned(*scan, c->options.allow_unknown, c->error);
}

static sft_status find_tensors(converter *c, uint64_t number) {
    part *p = &c->opened[number];
    const sft_scan_limits *limits = &c->options.scan.limits;
    sft_find_options options = {.allocator = &c->allocator,
                                .file_name = sft_base_name(c->parts.paths[number]),
                                .memory = limits->memory,
                                .entries = limits->entries,
                                .nesting = limits->nesting};
    p->has_found = true;
    c->founds[number] = &p->found;
    return sft_find_tensors(&p->found, &p->region, &options, c->error);
}

static sft_status read_sources(converter *c) {
    uint64_t count = c->parts.count;
    sft_status status = sft_conversion_name_sources(c->conversion, c->parts.paths, count, c->error);
    if (status != SFT_OK) {
        return status;
    }
    c->opened = sft_allocate_zeroed(&c->allocator, count, sizeof *c->opened);
    c->founds = sft_allocate_zeroed(&c->allocator, count, sizeof *c->founds);
    if (c->opened == NULL || c->founds == NULL) {
        return sft_fail_memory(c->error);
    }
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        status = open_part(c, c->parts.paths[i], &c->opened[i]);
        status = status == SFT_OK ? scan_part(c, i) : status;
        status = status == SFT_OK ? find_tensors(c, i) : status;
        if (status != SFT_OK) {
            sft_error_file(c->error, c->parts.paths[i]);
        }
    }
    return status;
}

/* ---- the plan ---- */

/* What a tensor is called that was saved by itself: as its file. */
static const char *lone_name(converter *c) {
    const char *stem = sft_target_stem(c->parts.paths[0], &c->arena);
    if (stem == NULL) {
        return NULL;
    }
    size_t length = strlen(stem);
    bool good = sft_utf8_check((const unsigned char *)stem, length) == length;
    return good && strcmp(stem, "__metadata__") != 0 ? stem : "tensor";
}

static sft_status make_plan(converter *c) {
    sft_plan_options options = {.allocator = c->allocator,
                                .key = c->options.key,
                                .drop_prefix = c->options.drop_prefix,
                                .lone_name = lone_name(c),
                                .seed = {c->seed[0], c->seed[1]}};
    if (options.lone_name == NULL) {
        return sft_fail_memory(c->error);
    }
    sft_status status = sft_plan_make(&c->plan, c->founds, c->parts.count, &options, c->error);
    if (status != SFT_OK) {
        if (c->plan.blamed < c->parts.count) {
            sft_error_file(c->error, c->parts.paths[c->plan.blamed]);
        }
        return status;
    }
    if (c->parts.sharded) {
        status = sft_parts_agree(&c->parts, c->founds, c->plan.wrapper, c->seed, c->error);
    }
    return status;
}

static bool is_same(const sft_os_info *a, const sft_os_info *b) {
    return a->device == b->device && a->inode == b->inode;
}

static bool is_source(const converter *c, const char *path) {
    sft_os_info info = {.size = 0};
    sft_os_info index = {.size = 0};
    if (path == NULL || sft_os_look_path(path, &info) != 0) {
        return false;
    }
    if (c->parts.sharded && sft_os_look_path(c->parts.index_path, &index) == 0 &&
        is_same(&info, &index)) {
        return true;
    }
    uint64_t i = 0;
    while (i < c->parts.count && !is_same(&info, &c->opened[i].info)) {
        i++;
    }
    return i < c->parts.count;
}

/* What is converted is never replaced by its own result, whatever the caller allows. */
static sft_status keep_sources(const converter *c) {
    const char *taken = is_source(c, c->files.index) ? c->files.index : NULL;
    for (uint64_t i = 0; i < c->files.count && taken == NULL; i++) {
        taken = is_source(c, c->files.files[i]) ? c->files.files[i] : NULL;
    }
    if (taken == NULL) {
        return SFT_OK;
    }
    sft_fail(c->error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
             "the target is the source: a result never takes the place of what it was made of");
    sft_error_file(c->error, taken);
    return SFT_INVALID_ARGUMENT;
}

static sft_status make_files(converter *c) {
    uint64_t most = c->options.max_shard_size;
    sft_status status = most > 0
                            ? sft_split_by_size(&c->plan, most, &c->split, c->error)
                            : sft_split_by_source(&c->plan, c->parts.count, &c->split, c->error);
    if (status != SFT_OK) {
        return status;
    }
    bool sharded = c->parts.sharded;
    sft_target_request request = {.source = sharded ? c->parts.folder : c->parts.paths[0],
                                  .sharded = sharded,
                                  .target = c->target,
                                  .by_size = most > 0,
                                  .indexed = most > 0 ? c->split.files > 1 : sharded,
                                  .files = c->split.files};
    status = sft_target_find(&request, &c->arena, &c->files, c->error);
    status = status == SFT_OK ? keep_sources(c) : status;
    if (status == SFT_OK && c->options.keep_existing) {
        status = sft_target_check_free(&c->files, c->error);
    }
    if (status == SFT_OK) {
        status = sft_conversion_fill(c->conversion, &c->plan, &c->files, c->error);
    }
    return status;
}

static sft_status produce(converter *c) {
    sft_product product = {.allocator = c->allocator,
                           .options = &c->options,
                           .plan = &c->plan,
                           .split = &c->split,
                           .files = &c->files,
                           .paths = c->parts.paths};
    return sft_produce(&product, c->error);
}

static sft_status run(converter *c, const char *source) {
    sft_status status = sft_parts_find(&c->parts, source, &c->allocator, c->seed, c->error);
    status = status == SFT_OK ? read_sources(c) : status;
    status = status == SFT_OK ? make_plan(c) : status;
    status = status == SFT_OK ? make_files(c) : status;
    return status == SFT_OK && !c->options.dry_run ? produce(c) : status;
}

/* ---- the whole ---- */

static void end(converter *c) {
    sft_split_free(&c->split);
    sft_plan_free(&c->plan);
    for (uint64_t i = 0; i < c->parts.count && c->opened != NULL; i++) {
        part *p = &c->opened[i];
        if (p->has_found) {
            sft_found_free(&p->found);
        }
        if (p->open) {
            p->source.close(p->source.context);
        }
    }
    sft_release(&c->allocator, c->opened, c->parts.count * sizeof *c->opened);
    sft_release(&c->allocator, (void *)c->founds, c->parts.count * sizeof *c->founds);
    sft_parts_free(&c->parts);
    sft_arena_free(&c->arena);
}

static bool tells_of_scan(sft_status status) {
    return status == SFT_OK || status == SFT_DANGEROUS_SOURCE || status == SFT_UNVOUCHED_SOURCE ||
           status == SFT_MALFORMED_SOURCE || status == SFT_UNSUPPORTED_SOURCE ||
           status == SFT_SOURCE_LIMIT;
}

sft_status sft_convert(const char *source, const char *target, const sft_convert_options *options,
                       sft_conversion **conversion, sft_error *error) {
    converter c = {.target = target, .error = error};
    if (conversion != NULL) {
        *conversion = NULL;
    }
    if (source == NULL || *source == '\0') {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no source is given");
    }
    sft_status status = check_options(options, &c.options, error);
    if (status != SFT_OK) {
        return status;
    }
    c.allocator = sft_allocator_of(c.options.allocator);
    c.plan.allocator = c.split.allocator = c.parts.allocator = c.allocator;
    status = sft_conversion_new(&c.allocator, &c.conversion, error);
    if (status != SFT_OK) {
        return status;
    }
    sft_arena_init(&c.arena, &c.allocator);
    sft_os_random(c.seed);
    status = run(&c, source);
    end(&c);
    if (status != SFT_OK) {
        sft_error_file(error, source);
    }
    if (conversion != NULL && tells_of_scan(status)) {
        *conversion = c.conversion;
    } else {
        sft_conversion_free(c.conversion);
    }
    return status;
}
