/* Storages of torch's legacy container: the file itself, or one inside of a pickle. */
#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/finder.h"
#include "pickle/judge.h"

sft_status sft_legacy_resolve(sft_scope *scope, sft_store *store) {
    uint64_t number = sft_names_find(&scope->placed, scope->legacy.storages,
                                     sizeof *scope->legacy.storages, store->key, store->key_length);
    if (number == UINT64_MAX) {
        store->refused = SFT_MISSING_STORAGE;
        store->why = "its storage is not in the file";
        return SFT_OK;
    }
    const sft_legacy_storage *there = &scope->legacy.storages[number];
    uint64_t size;
    if (!sft_multiply(store->elements, store->item_size, &size) || size != there->size) {
        store->refused = SFT_STORAGE_SIZE;
        store->why = "its storage has other than the bytes its elements need";
        return SFT_OK;
    }
    sft_region region;
    if (!sft_region_part(&scope->region, there->data, there->size, &region)) {
        store->refused = SFT_MISSING_STORAGE;
        store->why = "its storage is not in the file";
        return SFT_OK;
    }
    store->size = size;
    return sft_finder_storage(scope->finder, &region, false, &store->storage);
}

/* Reads the container around the pickle, and the pickle. */
static sft_status read_legacy(sft_scope *scope) {
    sft_finder *finder = scope->finder;
    sft_pickle_options options = {.allocator = &finder->allocator, .memory = finder->memory};
    scope->has_legacy = true;
    sft_status status = sft_legacy_read(&scope->legacy, &scope->region, &options, finder->error);
    if (status != SFT_OK || !scope->legacy.recognized) {
        return status;
    }
    if (!sft_names_reserve(&scope->placed, scope->legacy.storage_count)) {
        return sft_fail_memory(finder->error);
    }
    for (uint64_t i = 0; i < scope->legacy.storage_count; i++) {
        if (sft_names_add(&scope->placed, scope->legacy.storages, sizeof *scope->legacy.storages,
                          i) == SFT_NAMES_NO_MEMORY) {
            return sft_fail_memory(finder->error);
        }
    }
    return sft_scope_read(scope, scope->legacy.pickles[3]);
}

sft_status sft_find_pickle(sft_finder *finder, const sft_region *region) {
    sft_scope scope;
    sft_scope_init(&scope, finder, region, SFT_IDS_LEGACY);
    sft_status status = read_legacy(&scope);
    if (status == SFT_OK && !scope.legacy.recognized) {
        scope.ids = SFT_IDS_NONE;
        status = sft_scope_read(&scope, 0);
        if (status == SFT_OK && scope.pickle.position < region->size) {
            status = SFT_UNSUPPORTED_SOURCE;
            sft_fail(finder->error, status, scope.pickle.position,
                     "something follows the pickle, another one maybe: a part of the file would be "
                     "left out");
        }
    }
    if (status == SFT_OK) {
        finder->found->format = scope.legacy.recognized ? SFT_FORMAT_TORCH_LEGACY
                                : scope.joblib          ? SFT_FORMAT_JOBLIB
                                                        : SFT_FORMAT_PICKLE;
        finder->found->torch = true;
        status = sft_find_leaves(&scope);
    }
    sft_scope_free(&scope);
    return status;
}

/* ---- files inside of pickles ---- */

static sft_status text_region(sft_scope *scope, sft_ref ref, sft_region *region) {
    const sft_long_text *text = sft_graph_text(&scope->pickle.graph, ref);
    sft_finder *finder = scope->finder;
    if (text->text.bytes != NULL) {
        sft_status status = sft_finder_check_memory(finder);
        return status == SFT_OK ? sft_sources_memory(&finder->found->sources, text->text.bytes,
                                                     text->length, region, finder->error)
                                : status;
    }
    if (!sft_region_part(&scope->region, text->text.offset, text->length, region)) {
        return sft_fail(finder->error, SFT_MALFORMED_SOURCE, text->text.offset,
                        "a text would end after the file");
    }
    return SFT_OK;
}

sft_ref sft_scope_text(const sft_scope *scope, sft_ref ref, bool *latin1) {
    sft_ref text = SFT_NO_REF;
    *latin1 = false;
    if (ref == SFT_NO_REF || sft_bytes_of(&scope->pickle.graph, ref, &text, latin1)) {
        return text;
    }
    /* A str that is not encoded by a call: as pickles of Python 2 have it. */
    *latin1 = sft_graph_kind(&scope->pickle.graph, ref) == SFT_VALUE_STR;
    return *latin1 ? ref : SFT_NO_REF;
}

sft_status sft_scope_bytes(sft_scope *scope, sft_ref text, bool latin1, sft_region *bytes) {
    sft_finder *finder = scope->finder;
    sft_region region;
    sft_status status = text_region(scope, text, &region);
    if (status != SFT_OK || !latin1) {
        *bytes = region;
        return status;
    }
    uint64_t size;
    status = sft_text_characters(&region, &size, finder->error);
    return status == SFT_OK
               ? sft_sources_latin1(&finder->found->sources, &region, size, bytes, finder->error)
               : status;
}

static sft_status read_nested(sft_scope *inner, sft_status *refused, const char **why) {
    sft_status status = read_legacy(inner);
    if (status == SFT_OK && !inner->legacy.recognized) {
        *refused = SFT_UNSUPPORTED_TENSOR;
        *why = "what stands for it is a file of another kind than torch's legacy container";
    }
    return status;
}

/* Many calls may open the same text, and what is in it would be converted for each. */
#define OPENED UINT64_C(16)
#define OPENED_FREE (UINT64_C(64) << 20)

/* Whether what is opened inside of a pickle stays a sane multiple of it. */
static bool may_open(sft_scope *scope, uint64_t size) {
    sft_scope *outermost = scope->outermost != NULL ? scope->outermost : scope;
    uint64_t most;
    if (!sft_multiply(outermost->region.size, OPENED, &most) ||
        !sft_add(most, OPENED_FREE, &most)) {
        most = UINT64_MAX;
    }
    return sft_add(outermost->opened, size, &outermost->opened) && outermost->opened <= most;
}

sft_status sft_scope_open_nested(sft_scope *scope, sft_ref call, sft_scope **inner,
                                 sft_status *refused, const char **why) {
    sft_finder *finder = scope->finder;
    *inner = NULL;
    *refused = SFT_OK;
    if (scope->depth >= finder->nesting) {
        *refused = SFT_SOURCE_LIMIT;
        *why = "files lie inside of each other deeper than the limit allows";
        return SFT_OK;
    }
    bool latin1;
    sft_ref text =
        sft_scope_text(scope, sft_value_argument(&scope->pickle.graph, call, 0), &latin1);
    if (text == SFT_NO_REF) {
        *refused = SFT_MISSING_STORAGE;
        *why = "what stands for it is not a text of bytes";
        return SFT_OK;
    }
    sft_region region;
    sft_status status = sft_scope_bytes(scope, text, latin1, &region);
    if (status != SFT_OK) {
        return status;
    }
    if (!may_open(scope, region.size)) {
        *refused = SFT_SOURCE_LIMIT;
        *why = "the files inside of the pickle are opened so often that they would become many "
               "times what it has";
        return SFT_OK;
    }
    sft_scope *made = sft_allocate(&finder->allocator, sizeof *made);
    if (made == NULL) {
        return sft_fail_memory(finder->error);
    }
    sft_scope_init(made, finder, &region, SFT_IDS_LEGACY);
    made->depth = scope->depth + 1;
    made->outermost = scope->outermost != NULL ? scope->outermost : scope;
    status = read_nested(made, refused, why);
    if (status != SFT_OK || *refused != SFT_OK) {
        sft_scope_close_nested(made);
        return status;
    }
    *inner = made;
    return SFT_OK;
}

void sft_scope_close_nested(sft_scope *inner) {
    const sft_allocator allocator = inner->finder->allocator;
    sft_scope_free(inner);
    sft_release(&allocator, inner, sizeof *inner);
}
