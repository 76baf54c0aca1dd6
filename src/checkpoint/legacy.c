#include "checkpoint/legacy.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "checkpoint/torch_id.h"
#include "io/os.h"

/* torch/serialization.py: MAGIC_NUMBER and PROTOCOL_VERSION. */
static const char magic_bytes[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
static const char magic_digits[] = "119547037146038801333356";
#define PROTOCOL 1001

/*
 * The pickle of the magic number takes some thirty bytes. One that hides it behind more than this
 * is looked at as any other pickle.
 */
#define MAGIC_WINDOW UINT64_C(4096)

enum { PICKLE_MAGIC, PICKLE_PROTOCOL, PICKLE_SYSTEM, PICKLE_OBJECT, PICKLE_KEYS, PICKLES };

typedef struct reader {
    sft_legacy *legacy;
    const sft_region *region;
    const sft_pickle_options *options;
    sft_names names; /* of the storages that the object names */
    sft_legacy_storage *named;
    uint64_t named_count;
    uint64_t named_capacity;
    sft_error *error;
} reader;

static sft_status fail(const reader *r, uint64_t byte, const char *message) {
    sft_fail(r->error, SFT_MALFORMED_SOURCE, byte, "%s", message);
    return SFT_MALFORMED_SOURCE;
}

/* ---- the pickles ---- */

/* In binary, or in digits by LONG and INT, which may have an L behind them. */
static bool is_magic(const sft_graph *graph, sft_ref ref) {
    if (ref == SFT_NO_REF || sft_graph_kind(graph, ref) != SFT_VALUE_BIG_INT) {
        return false;
    }
    const sft_long_text *text = sft_graph_text(graph, ref);
    if (text->text.bytes == NULL) {
        return false;
    }
    size_t digits = sizeof magic_digits - 1;
    size_t bytes = sizeof magic_bytes - 1;
    if (text->length == bytes) {
        return memcmp(text->text.bytes, magic_bytes, bytes) == 0;
    }
    return text->length >= digits && text->length <= digits + 1 &&
           memcmp(text->text.bytes, magic_digits, digits) == 0 &&
           (text->length == digits || text->text.bytes[digits] == 'L');
}

static sft_status read_magic(reader *r, uint64_t *end) {
    sft_region window;
    *end = 0;
    if (!sft_region_part(r->region, 0, sft_min(r->region->size, MAGIC_WINDOW), &window)) {
        return SFT_OK;
    }
    sft_pickle_input input = sft_region_input(&window);
    sft_pickle pickle;
    sft_status status = sft_pickle_read(&pickle, &input, 0, r->options, r->error);
    if (status == SFT_OK && pickle.end == SFT_PICKLE_STOPPED &&
        is_magic(&pickle.graph, pickle.result)) {
        r->legacy->recognized = true;
        r->legacy->pickle_count = 1;
        *end = pickle.position;
    }
    sft_pickle_free(&pickle);
    return status;
}

static sft_status check_protocol(reader *r, const sft_pickle *pickle) {
    uint64_t version;
    return sft_graph_size(&pickle->graph, pickle->result, &version) && version == PROTOCOL
               ? SFT_OK
               : fail(r, pickle->start, "the second pickle is not the protocol's number, 1001");
}

static sft_status remember(reader *r, const sft_torch_id *id) {
    sft_arena *arena = &r->legacy->arena;
    if (sft_names_find(&r->names, r->named, sizeof *r->named, id->key, id->key_length) !=
        UINT64_MAX) {
        return SFT_OK;
    }
    char *key = sft_arena_copy(arena, id->key, id->key_length);
    if (key == NULL || !sft_grow(&arena->allocator, (void **)&r->named, &r->named_capacity,
                                 r->named_count, sizeof *r->named)) {
        return sft_fail_memory(r->error);
    }
    r->named[r->named_count] =
        (sft_legacy_storage){.key = key, .key_length = id->key_length, .item_size = id->item_size};
    if (sft_names_add(&r->names, r->named, sizeof *r->named, r->named_count) != SFT_NAMES_ADDED) {
        return sft_fail_memory(r->error);
    }
    r->named_count++;
    return SFT_OK;
}

/* Where ids differ about a storage the first one counts, as in torch. */
static sft_status collect_ids(reader *r, const sft_pickle *pickle) {
    const sft_graph *graph = &pickle->graph;
    for (uint64_t i = 1; i < graph->value_count; i++) {
        sft_torch_id id;
        if (sft_torch_id_of(graph, (sft_ref)i, true, &id)) {
            sft_status status = remember(r, &id);
            if (status != SFT_OK) {
                return status;
            }
        }
    }
    return SFT_OK;
}

/* ---- the storages ---- */

/*
 * An int64 tells how many elements there are, then come their bytes; both are little-endian on
 * every machine (torch/csrc/serialization.cpp), whatever sys_info says of the writer's.
 */
static sft_status read_storage(reader *r, sft_legacy_storage *storage) {
    sft_legacy *legacy = r->legacy;
    unsigned char bytes[8];
    if (r->region->size - legacy->end < sizeof bytes) {
        return fail(r, legacy->end, "the file ends before the last storage");
    }
    sft_status status = sft_region_read(r->region, legacy->end, bytes, sizeof bytes, r->error);
    if (status != SFT_OK) {
        return status;
    }
    for (unsigned i = 0; i < sizeof bytes; i++) {
        storage->elements |= (uint64_t)bytes[i] << (8 * i);
    }
    storage->data = legacy->end + sizeof bytes;
    if (!sft_multiply(storage->elements, storage->item_size, &storage->size) ||
        storage->size > r->region->size - storage->data) {
        return fail(r, legacy->end, "a storage would end after the file");
    }
    legacy->end = storage->data + storage->size;
    return SFT_OK;
}

static sft_status read_key(reader *r, const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    const sft_long_text *text =
        kind == SFT_VALUE_STR || kind == SFT_VALUE_OLD_STR ? sft_graph_text(graph, ref) : NULL;
    if (text == NULL || text->text.bytes == NULL) {
        return fail(r, sft_graph_value(graph, ref)->at, "a storage's key is not a short text");
    }
    uint64_t index = sft_names_find(&r->names, r->named, sizeof *r->named, text->text.bytes,
                                    (size_t)text->length);
    if (index == UINT64_MAX) {
        return fail(r, sft_graph_value(graph, ref)->at,
                    "a storage follows that the object does not name: its size is not known");
    }
    if (r->named[index].data != 0) {
        return fail(r, sft_graph_value(graph, ref)->at, "a storage's key stands twice in the list");
    }
    sft_status status = read_storage(r, &r->named[index]);
    if (status == SFT_OK) {
        r->legacy->storages[r->legacy->storage_count++] = r->named[index];
    }
    return status;
}

static sft_status read_storages(reader *r, const sft_pickle *pickle) {
    const sft_graph *graph = &pickle->graph;
    const sft_value *keys = sft_graph_value(graph, pickle->result);
    if (keys->kind != SFT_VALUE_LIST && keys->kind != SFT_VALUE_TUPLE) {
        return fail(r, pickle->start, "the fifth pickle is not the list of the storages' keys");
    }
    /* Each key is listed once, so that there are no more of them than names. */
    r->legacy->storages =
        sft_arena_take(&r->legacy->arena, r->named_count * sizeof *r->legacy->storages);
    if (r->legacy->storages == NULL) {
        return sft_fail_memory(r->error);
    }
    for (uint32_t link = keys->items.first; link != 0;) {
        sft_status status = read_key(r, graph, sft_graph_item(graph, &link));
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

/* ---- the file ---- */

static sft_status use_pickle(reader *r, unsigned number, const sft_pickle *pickle) {
    if (pickle->end == SFT_PICKLE_LIMIT) {
        sft_fail(r->error, SFT_SOURCE_LIMIT, pickle->position, "%s", pickle->what);
        return SFT_SOURCE_LIMIT;
    }
    if (pickle->end != SFT_PICKLE_STOPPED) {
        return fail(r, pickle->position, pickle->what);
    }
    r->legacy->end = pickle->position;
    switch (number) {
    case PICKLE_PROTOCOL:
        return check_protocol(r, pickle);
    case PICKLE_OBJECT:
        return collect_ids(r, pickle);
    case PICKLE_KEYS:
        return read_storages(r, pickle);
    default:
        return SFT_OK;
    }
}

static sft_status read_pickles(reader *r) {
    sft_pickle_input input = sft_region_input(r->region);
    for (unsigned i = PICKLE_PROTOCOL; i < PICKLES; i++) {
        sft_pickle pickle;
        r->legacy->pickles[i] = r->legacy->end;
        r->legacy->pickle_count = i + 1;
        sft_status status = sft_pickle_read(&pickle, &input, r->legacy->end, r->options, r->error);
        if (status == SFT_OK) {
            status = use_pickle(r, i, &pickle);
        }
        sft_pickle_free(&pickle);
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

sft_status sft_legacy_read(sft_legacy *legacy, const sft_region *region,
                           const sft_pickle_options *options, sft_error *error) {
    sft_allocator allocator = sft_allocator_of(options->allocator);
    *legacy = (sft_legacy){.recognized = false};
    sft_arena_init(&legacy->arena, &allocator);
    reader r = {.legacy = legacy, .region = region, .options = options, .error = error};
    uint64_t seed[2];
    sft_os_random(seed);
    sft_names_init(&r.names, &allocator, seed);
    sft_status status = read_magic(&r, &legacy->end);
    if (status == SFT_OK && legacy->recognized) {
        status = read_pickles(&r);
    }
    sft_release(&allocator, r.named, r.named_capacity * sizeof *r.named);
    sft_names_free(&r.names);
    return status;
}

void sft_legacy_free(sft_legacy *legacy) {
    sft_arena_free(&legacy->arena);
}
