#include "checkpoint/entries.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "checkpoint/joblib.h"
#include "checkpoint/numpy.h"
#include "io/os.h"

/* From so many keys on they are looked up by hash. */
#define FEW_KEYS 8U

/* ---- what holds what ---- */

/* The argument that a mapping is made of, if it is made by a call that looks at it. */
static sft_ref filling(const sft_graph *graph, sft_ref ref, sft_role role) {
    const sft_object *object = sft_graph_object(graph, ref);
    bool called = object->call == SFT_CALL_REDUCE || object->call == SFT_CALL_INSTANCE;
    return called ? sft_value_argument(graph, ref, role == SFT_ROLE_DEFAULT_DICT ? 1 : 0)
                  : SFT_NO_REF;
}

static bool is_row(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    return kind == SFT_VALUE_LIST || kind == SFT_VALUE_TUPLE;
}

/* A dict, or a list of pairs. */
static bool is_filling(const sft_graph *graph, sft_ref ref) {
    if (ref == SFT_NO_REF || sft_graph_kind(graph, ref) == SFT_VALUE_DICT) {
        return true;
    }
    if (!is_row(graph, ref)) {
        return false;
    }
    for (uint32_t link = sft_graph_value(graph, ref)->items.first; link != 0;) {
        sft_ref pair = sft_graph_item(graph, &link);
        if (!is_row(graph, pair) || sft_graph_value(graph, pair)->count != 2) {
            return false;
        }
    }
    return true;
}

static sft_holder mapping(const sft_graph *graph, sft_ref ref, sft_role role) {
    bool plain = sft_graph_object(graph, ref)->keywords == SFT_NO_REF &&
                 is_filling(graph, filling(graph, ref, role));
    return plain ? SFT_HOLDS_PAIRS : SFT_HOLDS_PARTS;
}

static sft_holder list(const sft_graph *graph, sft_ref ref) {
    sft_ref filled = filling(graph, ref, SFT_ROLE_LIST);
    return filled == SFT_NO_REF || is_row(graph, filled) ? SFT_HOLDS_ROW : SFT_HOLDS_PARTS;
}

static sft_holder array(const sft_scope *scope, sft_ref ref) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_numpy_array found;
    sft_joblib_array wrapper;
    const char *why;
    bool objects =
        (scope->joblib && sft_joblib_array_of(graph, ref, &wrapper) && wrapper.dtype.object) ||
        (sft_numpy_array_of(graph, ref, &found, &why) == SFT_NUMPY_ARRAY && found.dtype.object);
    return objects ? SFT_HOLDS_OBJECTS : SFT_HOLDS_PARTS;
}

/* Modules of TorchScript: instances of classes that the archive itself defines. */
static bool is_script_module(const sft_scope *scope, sft_ref ref) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_pair pair;
    return scope->torchscript && sft_graph_object(graph, ref)->call == SFT_CALL_NEWOBJ &&
           sft_graph_object(graph, ref)->callee != SFT_NO_REF &&
           sft_graph_pair(graph, sft_graph_object(graph, ref)->callee, &pair) &&
           pair.module_length >= 9 && memcmp(pair.module, "__torch__", 9) == 0;
}

sft_holder sft_holder_of(const sft_scope *scope, sft_ref ref) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_role role = sft_value_role(graph, ref, NULL);
    switch (role) {
    case SFT_ROLE_ORDERED_DICT:
    case SFT_ROLE_DEFAULT_DICT:
    case SFT_ROLE_COUNTER:
    case SFT_ROLE_DICT:
        return mapping(graph, ref, role);
    case SFT_ROLE_LIST:
        return list(graph, ref);
    case SFT_ROLE_TORCH_LOAD_FROM_BYTES:
        return SFT_HOLDS_FILE;
    case SFT_ROLE_ENCODE:
    case SFT_ROLE_BYTES:
    case SFT_ROLE_BYTEARRAY:
    case SFT_ROLE_SCALAR:
    case SFT_ROLE_TORCH_SIZE:
    case SFT_ROLE_TORCH_DEVICE:
    case SFT_ROLE_NUMPY_SCALAR:
    case SFT_ROLE_NUMPY_DTYPE:
    case SFT_ROLE_NUMPY_DTYPE_CLASS:
        return SFT_HOLDS_NOTHING;
    case SFT_ROLE_NUMPY_RECONSTRUCT:
    case SFT_ROLE_JOBLIB_ARRAY:
    case SFT_ROLE_RECONSTRUCTOR:
        return array(scope, ref);
    default:
        return is_script_module(scope, ref) ? SFT_HOLDS_STATE : SFT_HOLDS_PARTS;
    }
}

/* ---- keys ---- */

/*
 * Keys of other types than str begin with a byte that no text begins with, so that they never equal
 * one, and a letter. Numbers are equal whatever their type: True is 1 is 1.0.
 */
#define MARK "\xff"

static sft_status make_key(sft_entries *entries, sft_entry *entry, const char *text) {
    entry->key_length = strlen(text);
    entry->key = sft_arena_copy(entries->keys, text, entry->key_length);
    entry->skip = 2;
    return entry->key != NULL ? SFT_OK : sft_fail_memory(entries->scope->finder->error);
}

/* A key that equals no other one, be it tuple or NaN: as often as it stands there. */
static sft_status lone_key(sft_entries *entries, const sft_value *value, sft_entry *entry) {
    char text[64];
    entry->unnamed = true;
    snprintf(text, sizeof text, MARK "r(key at byte %" PRIu64 ", %" PRIu64 ")", value->at,
             entries->work);
    return make_key(entries, entry, text);
}

static sft_status number_key(sft_entries *entries, const sft_value *value, sft_entry *entry) {
    char text[64];
    bool real = value->kind == SFT_VALUE_FLOAT;
    entry->unnamed = value->kind != SFT_VALUE_INT;
    if (real && value->real != value->real) {
        return lone_key(entries, value, entry);
    }
    if (!real) {
        snprintf(text, sizeof text, MARK "n%" PRId64, value->integer);
    } else if (value->real >= -9e18 && value->real <= 9e18 &&
               value->real == (double)(int64_t)value->real) {
        snprintf(text, sizeof text, MARK "n%" PRId64, (int64_t)value->real);
    } else {
        snprintf(text, sizeof text, MARK "f%.17g", value->real);
    }
    return make_key(entries, entry, text);
}

/* Text of Python 2, and bytes: UTF-8 where they are, else latin1. */
static sft_status bytes_key(sft_entries *entries, const char *bytes, size_t length, bool marked,
                            sft_entry *entry) {
    bool utf8 = sft_utf8_check((const unsigned char *)bytes, length) == length;
    char *text = sft_arena_take(entries->keys, 2 + (uint64_t)length * (utf8 ? 1 : 2));
    if (text == NULL) {
        return sft_fail_memory(entries->scope->finder->error);
    }
    size_t used = marked ? 2 : 0;
    memcpy(text, MARK "b", used);
    for (size_t i = 0; i < length; i++) {
        if (utf8) {
            text[used++] = bytes[i];
        } else {
            used += sft_utf8_encode((unsigned char)bytes[i], text + used);
        }
    }
    entry->key = text;
    entry->key_length = used;
    entry->skip = marked ? 2 : 0;
    return SFT_OK;
}

/* Where the text is, read from the input if it was left there. */
static sft_status load_text(sft_entries *entries, sft_ref ref, const char **bytes, size_t *length) {
    const sft_scope *scope = entries->scope;
    const sft_long_text *text = sft_graph_text(&scope->pickle.graph, ref);
    *bytes = text->text.bytes;
    *length = (size_t)text->length;
    if (*bytes != NULL) {
        return SFT_OK;
    }
    if (text->length > scope->finder->memory) {
        sft_fail(scope->finder->error, SFT_SOURCE_LIMIT, text->text.offset,
                 "a key takes more memory than the limit allows");
        return SFT_SOURCE_LIMIT;
    }
    char *to = sft_arena_take(entries->keys, text->length);
    if (to == NULL) {
        return sft_fail_memory(scope->finder->error);
    }
    *bytes = to;
    return sft_region_read(&scope->region, text->text.offset, to, text->length,
                           scope->finder->error);
}

static sft_status text_key(sft_entries *entries, sft_ref ref, sft_value_kind kind,
                           sft_entry *entry) {
    sft_status status = load_text(entries, ref, &entry->key, &entry->key_length);
    if (status != SFT_OK || kind == SFT_VALUE_STR) {
        return status;
    }
    return bytes_key(entries, entry->key, entry->key_length, kind == SFT_VALUE_BYTES, entry);
}

static sft_status read_key(sft_entries *entries, sft_ref ref, sft_entry *entry) {
    const sft_value *value = sft_graph_value(&entries->scope->pickle.graph, ref);
    entry->has_key = true;
    switch (value->kind) {
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
        return text_key(entries, ref, (sft_value_kind)value->kind, entry);
    case SFT_VALUE_BOOL:
    case SFT_VALUE_INT:
    case SFT_VALUE_FLOAT:
        return number_key(entries, value, entry);
    case SFT_VALUE_NONE:
        entry->unnamed = true;
        return make_key(entries, entry, MARK "oNone");
    default:
        return lone_key(entries, value, entry);
    }
}

/* ---- listing ---- */

static sft_status add(sft_entries *entries, const sft_entry *entry) {
    if (!sft_grow(&entries->scope->finder->allocator, (void **)&entries->items, &entries->capacity,
                  entries->count, sizeof *entries->items)) {
        return sft_fail_memory(entries->scope->finder->error);
    }
    entries->items[entries->count++] = *entry;
    return SFT_OK;
}

static sft_status index_from(sft_entries *entries, uint64_t first) {
    for (uint64_t i = first; i < entries->count; i++) {
        if (sft_names_add(&entries->names, entries->items, sizeof *entries->items, i) ==
            SFT_NAMES_NO_MEMORY) {
            return sft_fail_memory(entries->scope->finder->error);
        }
    }
    return SFT_OK;
}

static uint64_t find(sft_entries *entries, const sft_entry *entry) {
    if (entries->named) {
        return sft_names_find(&entries->names, entries->items, sizeof *entries->items, entry->key,
                              entry->key_length);
    }
    for (uint64_t i = 0; i < entries->count; i++) {
        const sft_entry *here = &entries->items[i];
        if (here->key_length == entry->key_length &&
            (entry->key_length == 0 || memcmp(here->key, entry->key, entry->key_length) == 0)) {
            return i;
        }
    }
    return UINT64_MAX;
}

/* A key that is there keeps its place and its type, and gets the new value. */
static sft_status add_pair(sft_entries *entries, sft_ref key, sft_ref value) {
    sft_entry entry = {.value = value};
    entries->work++;
    sft_status status = read_key(entries, key, &entry);
    if (status != SFT_OK) {
        return status;
    }
    uint64_t there = find(entries, &entry);
    if (there != UINT64_MAX) {
        entries->items[there].value = value;
        return SFT_OK;
    }
    status = add(entries, &entry);
    if (status == SFT_OK && entries->named) {
        status = index_from(entries, entries->count - 1);
    } else if (status == SFT_OK && entries->count == FEW_KEYS) {
        uint64_t seed[2];
        sft_os_random(seed);
        sft_names_init(&entries->names, &entries->scope->finder->allocator, seed);
        entries->named = true;
        status = index_from(entries, 0);
    }
    return status;
}

/* Keys and values in turn. */
static sft_status add_pairs(sft_entries *entries, sft_items items) {
    const sft_graph *graph = &entries->scope->pickle.graph;
    for (uint32_t link = items.first; link != 0;) {
        sft_ref key = sft_graph_item(graph, &link);
        if (link == 0) {
            break;
        }
        sft_ref value = sft_graph_item(graph, &link);
        sft_status status = add_pair(entries, key, value);
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

static sft_status add_filling(sft_entries *entries, sft_ref filled) {
    const sft_graph *graph = &entries->scope->pickle.graph;
    if (filled == SFT_NO_REF) {
        return SFT_OK;
    }
    sft_items items = sft_graph_value(graph, filled)->items;
    if (sft_graph_kind(graph, filled) == SFT_VALUE_DICT) {
        return add_pairs(entries, items);
    }
    for (uint32_t link = items.first; link != 0;) {
        sft_ref pair = sft_graph_item(graph, &link);
        sft_status status =
            add_pair(entries, sft_graph_at(graph, pair, 0), sft_graph_at(graph, pair, 1));
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

/* Values without keys. */
static sft_status add_row(sft_entries *entries, sft_items items) {
    const sft_graph *graph = &entries->scope->pickle.graph;
    for (uint32_t link = items.first; link != 0;) {
        sft_entry entry = {.value = sft_graph_item(graph, &link)};
        sft_status status = add(entries, &entry);
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

/* A list that was made by a call: what it was filled with, and what was appended. */
static sft_status add_object_row(sft_entries *entries, sft_ref ref) {
    const sft_graph *graph = &entries->scope->pickle.graph;
    sft_ref filled = filling(graph, ref, SFT_ROLE_LIST);
    sft_status status = SFT_OK;
    if (filled != SFT_NO_REF) {
        status = add_row(entries, sft_graph_value(graph, filled)->items);
    }
    if (status == SFT_OK) {
        status = add_row(entries, sft_graph_object(graph, ref)->appended);
    }
    for (uint64_t i = 0; i < entries->count; i++) {
        entries->items[i].has_key = true;
        entries->items[i].position = i;
    }
    return status;
}

static sft_status add_value(sft_entries *entries, sft_ref ref) {
    sft_entry entry = {.value = ref};
    return ref != SFT_NO_REF ? add(entries, &entry) : SFT_OK;
}

static sft_status add_parts(sft_entries *entries, sft_ref ref) {
    const sft_graph *graph = &entries->scope->pickle.graph;
    const sft_object *object = sft_graph_object(graph, ref);
    sft_status status = add_value(entries, object->arguments);
    if (status == SFT_OK) {
        status = add_value(entries, object->keywords);
    }
    const sft_items rows[] = {object->states, object->appended, object->set};
    for (size_t i = 0; i < 3 && status == SFT_OK; i++) {
        status = add_row(entries, rows[i]);
    }
    return status;
}

/* A copy has what there was to be copied: what its original got afterwards is not in it. */
static sft_status check_filling(const sft_scope *scope, sft_ref ref) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_role role = sft_value_role(graph, ref, NULL);
    if (sft_value_was_whole(graph, filling(graph, ref, role),
                            sft_graph_object(graph, ref)->arguments)) {
        return SFT_OK;
    }
    sft_fail(
        scope->finder->error, SFT_UNSUPPORTED_SOURCE, sft_graph_value(graph, ref)->at,
        "a dictionary or list was copied here, and changed afterwards: no program writes that");
    return SFT_UNSUPPORTED_SOURCE;
}

sft_status sft_entries_of(sft_entries *entries, sft_scope *scope, sft_arena *keys, sft_ref ref,
                          sft_holder holder) {
    const sft_graph *graph = &scope->pickle.graph;
    *entries = (sft_entries){.scope = scope, .keys = keys};
    bool object = sft_graph_kind(graph, ref) == SFT_VALUE_OBJECT;
    sft_status status = SFT_OK;
    if (object && (holder == SFT_HOLDS_PAIRS || holder == SFT_HOLDS_ROW)) {
        status = check_filling(scope, ref);
        if (status != SFT_OK) {
            return status;
        }
    }
    switch (holder) {
    case SFT_HOLDS_PAIRS:
        if (!object) {
            return add_pairs(entries, sft_graph_value(graph, ref)->items);
        }
        status = add_filling(entries, filling(graph, ref, sft_value_role(graph, ref, NULL)));
        return status == SFT_OK ? add_pairs(entries, sft_graph_object(graph, ref)->set) : status;
    case SFT_HOLDS_ROW:
        if (object) {
            return add_object_row(entries, ref);
        }
        entries->link = sft_graph_value(graph, ref)->items.first;
        entries->positioned = true;
        return SFT_OK;
    case SFT_HOLDS_STATE: {
        sft_ref state = sft_value_state(graph, ref);
        bool dict = state != SFT_NO_REF && sft_graph_kind(graph, state) == SFT_VALUE_DICT;
        return dict ? add_pairs(entries, sft_graph_value(graph, state)->items) : SFT_OK;
    }
    default:
        if (object) {
            return add_parts(entries, ref);
        }
        entries->link = sft_graph_value(graph, ref)->items.first;
        return SFT_OK;
    }
}

sft_status sft_entries_lone(sft_entries *entries, sft_scope *scope, sft_ref ref) {
    *entries = (sft_entries){.scope = scope};
    return add_value(entries, ref);
}

bool sft_entries_next(sft_entries *entries, sft_entry *entry) {
    if (entries->next < entries->count) {
        *entry = entries->items[entries->next++];
        return true;
    }
    if (entries->link == 0) {
        return false;
    }
    *entry = (sft_entry){.has_key = entries->positioned, .position = entries->next++};
    entry->value = sft_graph_item(&entries->scope->pickle.graph, &entries->link);
    return true;
}

void sft_entries_free(sft_entries *entries) {
    sft_release(&entries->scope->finder->allocator, entries->items,
                entries->capacity * sizeof *entries->items);
    if (entries->named) {
        sft_names_free(&entries->names);
    }
}
