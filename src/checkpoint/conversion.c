#include "checkpoint/conversion.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "checkpoint/move.h"

/* ---- making ---- */

sft_status sft_conversion_new(const sft_allocator *allocator, sft_conversion **conversion,
                              sft_error *error) {
    sft_conversion *made = sft_allocate_zeroed(allocator, 1, sizeof *made);
    *conversion = made;
    if (made == NULL) {
        return sft_fail_memory(error);
    }
    made->allocator = *allocator;
    sft_arena_init(&made->arena, allocator);
    return SFT_OK;
}

static void *take(sft_conversion *c, uint64_t count, uint64_t size) {
    uint64_t bytes;
    return sft_multiply(count, size, &bytes) ? sft_arena_take(&c->arena, bytes) : NULL;
}

/* A copy ended by NUL. */
static const char *copy(sft_conversion *c, const char *text, size_t length) {
    char *made = sft_arena_take(&c->arena, (uint64_t)length + 1);
    if (made != NULL) {
        memcpy(made, text, length);
        made[length] = '\0';
    }
    return made;
}

static const char *copy_string(sft_conversion *c, const char *text) {
    return copy(c, text, strlen(text));
}

sft_status sft_conversion_name_sources(sft_conversion *c, const char *const *paths, uint64_t count,
                                       sft_error *error) {
    c->sources = take(c, count, sizeof *c->sources);
    for (uint64_t i = 0; i < count && c->sources != NULL; i++) {
        c->sources[i] = (sft_converted_source){copy_string(c, paths[i]), NULL};
        if (c->sources[i].path == NULL) {
            c->sources = NULL;
        }
    }
    c->source_count = c->sources != NULL ? count : 0;
    return c->sources != NULL ? SFT_OK : sft_fail_memory(error);
}

/* ---- filling ---- */

static bool fill_tensor(sft_conversion *c, const sft_plan_tensor *planned, sft_converted *made) {
    const sft_found_tensor *tensor = planned->tensor;
    const sft_storage *storage = sft_move_storage(planned);
    uint64_t bytes = tensor->rank * sizeof *tensor->shape;
    *made =
        (sft_converted){.name = copy(c, planned->name, planned->name_length),
                        .name_length = planned->name_length,
                        .source_name = copy(c, planned->source_name, planned->source_name_length),
                        .source_name_length = planned->source_name_length,
                        .dtype = tensor->dtype,
                        .rank = tensor->rank,
                        .size = planned->size,
                        .source_file = c->sources[planned->source].path,
                        .packed = storage->region.fd < 0,
                        .source_offset = storage->region.offset + sft_move_start(tensor),
                        .file = planned->file};
    uint64_t *shape = sft_arena_take(&c->arena, bytes);
    uint64_t *strides = tensor->dense ? NULL : sft_arena_take(&c->arena, bytes);
    bool whole = made->name != NULL && made->source_name != NULL && shape != NULL &&
                 (tensor->dense || strides != NULL);
    for (uint32_t i = 0; i < tensor->rank && whole; i++) {
        shape[i] = tensor->shape[i];
        if (strides != NULL) {
            strides[i] = tensor->strides[i];
        }
    }
    made->shape = shape;
    made->strides = strides;
    if (storage->region.label != NULL) {
        made->member = copy_string(c, storage->region.label);
        whole = whole && made->member != NULL;
    }
    return whole;
}

static bool tensor_after(const void *things, uint32_t a, uint32_t b) {
    const sft_plan_tensor *tensors = things;
    if (tensors[a].file != tensors[b].file) {
        return tensors[a].file > tensors[b].file;
    }
    return sft_sort_bytes(tensors[a].name, tensors[a].name_length, tensors[b].name,
                          tensors[b].name_length) > 0;
}

static bool fill_tensors(sft_conversion *c, const sft_plan *plan) {
    uint32_t *order =
        sft_sort(plan->tensors, (uint32_t)plan->count, tensor_after, &plan->allocator);
    c->tensors = take(c, plan->count, sizeof *c->tensors);
    bool whole = order != NULL && c->tensors != NULL;
    for (uint64_t i = 0; i < plan->count && whole; i++) {
        whole = fill_tensor(c, &plan->tensors[order[i]], &c->tensors[i]);
    }
    sft_release(&plan->allocator, order, plan->count * sizeof *order);
    c->count = whole ? plan->count : 0;
    c->bytes = plan->bytes;
    return whole;
}

static bool fill_ties(sft_conversion *c, const sft_plan *plan) {
    c->ties = take(c, plan->tie_count, sizeof *c->ties);
    bool whole = c->ties != NULL;
    for (uint64_t i = 0; i < plan->tie_count && whole; i++) {
        const sft_tie *tie = &plan->ties[i];
        c->ties[i] = (sft_tie){copy(c, tie->dropped, tie->dropped_length), tie->dropped_length,
                               copy(c, tie->kept, tie->kept_length), tie->kept_length};
        whole = c->ties[i].dropped != NULL && c->ties[i].kept != NULL;
    }
    c->tie_count = whole ? plan->tie_count : 0;
    return whole;
}

static bool fill_dropped(sft_conversion *c, const sft_plan *plan) {
    c->dropped = take(c, plan->dropped_count, sizeof *c->dropped);
    bool whole = c->dropped != NULL;
    for (uint64_t i = 0; i < plan->dropped_count && whole; i++) {
        const sft_dropped *dropped = &plan->dropped[i];
        c->dropped[i] = (sft_dropped){copy(c, dropped->name, dropped->name_length),
                                      dropped->name_length, copy_string(c, dropped->kind)};
        whole = c->dropped[i].name != NULL && c->dropped[i].kind != NULL;
    }
    c->dropped_count = whole ? plan->dropped_count : 0;
    c->dropped_total = plan->dropped_total;
    return whole;
}

static bool fill_metadata(sft_conversion *c, const sft_plan *plan) {
    c->metadata = take(c, plan->metadata_count, sizeof *c->metadata);
    bool whole = c->metadata != NULL;
    for (uint64_t i = 0; i < plan->metadata_count && whole; i++) {
        const sft_metadata_entry *entry = &plan->metadata[i];
        c->metadata[i] =
            (sft_metadata_entry){copy(c, entry->key, entry->key_length), entry->key_length,
                                 copy(c, entry->value, entry->value_length), entry->value_length};
        whole = c->metadata[i].key != NULL && c->metadata[i].value != NULL;
    }
    c->metadata_count = whole ? plan->metadata_count : 0;
    return whole;
}

static bool fill_files(sft_conversion *c, const sft_target *target) {
    c->files = take(c, target->count, sizeof *c->files);
    bool whole = c->files != NULL;
    for (uint64_t i = 0; i < target->count && whole; i++) {
        c->files[i] = copy_string(c, target->files[i]);
        whole = c->files[i] != NULL;
    }
    c->file_count = whole ? target->count : 0;
    if (whole && target->index != NULL) {
        c->index_path = copy_string(c, target->index);
        whole = c->index_path != NULL;
    }
    return whole;
}

sft_status sft_conversion_fill(sft_conversion *c, const sft_plan *plan, const sft_target *target,
                               sft_error *error) {
    bool whole = fill_tensors(c, plan) && fill_ties(c, plan) && fill_dropped(c, plan) &&
                 fill_metadata(c, plan) && fill_files(c, target);
    c->wrapper = plan->wrapper;
    return whole ? SFT_OK : sft_fail_memory(error);
}

/* ---- looking ---- */

void sft_conversion_free(sft_conversion *c) {
    if (c == NULL) {
        return;
    }
    for (uint64_t i = 0; i < c->source_count; i++) {
        sft_scan_free(c->sources[i].scan);
    }
    sft_arena_free(&c->arena);
    sft_allocator allocator = c->allocator;
    sft_release(&allocator, c, sizeof *c);
}

uint64_t sft_conversion_count(const sft_conversion *c) {
    return c->count;
}

const sft_converted *sft_conversion_at(const sft_conversion *c, uint64_t index) {
    return index < c->count ? &c->tensors[index] : NULL;
}

uint64_t sft_conversion_ties(const sft_conversion *c) {
    return c->tie_count;
}

const sft_tie *sft_conversion_tie(const sft_conversion *c, uint64_t index) {
    return index < c->tie_count ? &c->ties[index] : NULL;
}

uint64_t sft_conversion_dropped_total(const sft_conversion *c) {
    return c->dropped_total;
}

uint64_t sft_conversion_dropped_count(const sft_conversion *c) {
    return c->dropped_count;
}

const sft_dropped *sft_conversion_dropped(const sft_conversion *c, uint64_t index) {
    return index < c->dropped_count ? &c->dropped[index] : NULL;
}

const char *sft_conversion_wrapper(const sft_conversion *c) {
    return c->wrapper;
}

uint64_t sft_conversion_metadata_count(const sft_conversion *c) {
    return c->metadata_count;
}

const sft_metadata_entry *sft_conversion_metadata(const sft_conversion *c, uint64_t index) {
    return index < c->metadata_count ? &c->metadata[index] : NULL;
}

uint64_t sft_conversion_files(const sft_conversion *c) {
    return c->file_count;
}

const char *sft_conversion_file(const sft_conversion *c, uint64_t index) {
    return index < c->file_count ? c->files[index] : NULL;
}

const char *sft_conversion_index_path(const sft_conversion *c) {
    return c->index_path;
}

uint64_t sft_conversion_bytes(const sft_conversion *c) {
    return c->bytes;
}

const char *sft_conversion_format(const sft_conversion *c) {
    const sft_scan_result *scan = sft_conversion_scan(c, 0);
    return scan != NULL ? sft_scan_format(scan) : "unrecognized";
}

uint64_t sft_conversion_sources(const sft_conversion *c) {
    return c->source_count;
}

const char *sft_conversion_source(const sft_conversion *c, uint64_t index) {
    return index < c->source_count ? c->sources[index].path : NULL;
}

const sft_scan_result *sft_conversion_scan(const sft_conversion *c, uint64_t index) {
    return index < c->source_count ? c->sources[index].scan : NULL;
}
