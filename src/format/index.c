#include "format/index.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/json.h"

typedef struct parser {
    sft_json json;
    sft_index *index;
    sft_error *error;
} parser;

static sft_status fail(const parser *p, sft_status status, const char *at, const char *message) {
    return sft_json_fail(&p->json, status, at, message);
}

static bool is(const sft_named *key, const char *word) {
    return key->length == strlen(word) && memcmp(key->name, word, key->length) == 0;
}

static sft_status fail_duplicate(const parser *p, const char *at, const sft_named *key) {
    return sft_fail(p->error, SFT_DUPLICATE_KEY, (uint64_t)(at - p->json.start),
                    "the key \"%s\" stands twice in one object",
                    sft_show(key->name, key->length).text);
}

/* Reads the members of an object, whose brace is next; `member` reads one from its key on. */
static sft_status read_object(parser *p, sft_status (*member)(parser *p)) {
    bool more = sft_json_enter(&p->json, '}');
    while (more) {
        sft_status status = member(p);
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, '}', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

/* ---- metadata ---- */

/* Some tools wrote the sum as a double: 123.0 is 123. */
static void skip_zero_fraction(parser *p) {
    const char *at = p->json.at;
    if (at[0] == '.' && at[1] == '0') {
        for (at += 2; *at == '0'; at++) {
        }
        p->json.at =
            *at == ',' || *at == '}' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'
                ? at
                : p->json.at;
    }
}

static sft_status read_total_size(parser *p) {
    const char *at = p->json.at;
    const char *digits = at;
    uint64_t sum = 0;
    /* sft_json_unsigned() refuses a fraction; read the whole part on its own. */
    while (*digits >= '0' && *digits <= '9') {
        uint64_t digit = (uint64_t)(*digits - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return fail(p, SFT_INVALID_INDEX, at, "total_size is 2^64 or more");
        }
        sum = sum * 10 + digit;
        digits++;
    }
    if (digits == at || (*at == '0' && digits - at > 1)) {
        return fail(p, SFT_INVALID_INDEX, at, "total_size is not a number of bytes");
    }
    p->json.at = digits;
    skip_zero_fraction(p);
    if (*p->json.at == '.' || *p->json.at == 'e' || *p->json.at == 'E') {
        p->json.at = at;
        sft_status status = sft_json_skip(&p->json, 2);
        return status != SFT_OK
                   ? status
                   : fail(p, SFT_INVALID_INDEX, at, "total_size is not a whole number of bytes");
    }
    p->index->has_total_size = true;
    p->index->total_size = sum;
    return SFT_OK;
}

static sft_status read_metadata_member(parser *p) {
    const char *key_at = p->json.at;
    sft_named key;
    sft_status status = sft_json_key(&p->json, &key);
    if (status != SFT_OK) {
        return status;
    }
    if (!is(&key, "total_size")) {
        return sft_json_skip(&p->json, 2);
    }
    return p->index->has_total_size ? fail_duplicate(p, key_at, &key) : read_total_size(p);
}

/* ---- weight_map ---- */

/* Names come from strangers: nothing but a plain file name of the same folder will do, on any
 * system: ':' is there for drives and streams. */
static bool is_plain_name(const sft_named *name) {
    for (size_t i = 0; i < name->length; i++) {
        char c = name->name[i];
        if (c == '/' || c == '\\' || c == ':' || c == '\0') {
            return false;
        }
    }
    return name->length > 0 && !is(name, ".") && !is(name, "..");
}

static sft_status add_shard(parser *p, const sft_named *name, uint32_t *shard) {
    sft_index *index = p->index;
    uint64_t known = sft_names_find(&index->shard_names, index->shards, sizeof *index->shards,
                                    name->name, name->length);
    if (known != UINT64_MAX) {
        *shard = (uint32_t)known;
        return SFT_OK;
    }
    void *shards = index->shards;
    bool grown = sft_grow(&index->allocator, &shards, &index->shard_capacity, index->shard_count,
                          sizeof *index->shards);
    index->shards = shards;
    char *copy = grown ? sft_arena_take(&index->arena, name->length + 1) : NULL;
    if (copy == NULL) {
        return sft_fail_memory(p->error);
    }
    memcpy(copy, name->name, name->length);
    copy[name->length] = '\0';
    index->shards[index->shard_count] = (sft_index_shard){copy, name->length, SFT_INDEX_NOT_OPEN};
    if (sft_names_add(&index->shard_names, index->shards, sizeof *index->shards,
                      index->shard_count) != SFT_NAMES_ADDED) {
        return sft_fail_memory(p->error);
    }
    *shard = (uint32_t)index->shard_count++;
    return SFT_OK;
}

static sft_status add_entry(parser *p, const sft_named *name, uint32_t shard, const char *key_at) {
    sft_index *index = p->index;
    void *entries = index->entries;
    bool grown = sft_grow(&index->allocator, &entries, &index->entry_capacity, index->entry_count,
                          sizeof *index->entries);
    index->entries = entries;
    if (!grown) {
        return sft_fail_memory(p->error);
    }
    index->entries[index->entry_count] = (sft_index_entry){name->name, name->length, shard};
    switch (sft_names_add(&index->entry_names, index->entries, sizeof *index->entries,
                          index->entry_count)) {
    case SFT_NAMES_DUPLICATE:
        return fail_duplicate(p, key_at, name);
    case SFT_NAMES_NO_MEMORY:
        return sft_fail_memory(p->error);
    case SFT_NAMES_ADDED:
        break;
    }
    index->entry_count++;
    return SFT_OK;
}

static sft_status read_weight(parser *p) {
    const char *key_at = p->json.at;
    sft_named name;
    sft_named file;
    sft_status status = sft_json_key(&p->json, &name);
    if (status != SFT_OK) {
        return status;
    }
    const char *at = p->json.at;
    if (*at != '"') {
        status = sft_json_skip(&p->json, 2);
        return status != SFT_OK
                   ? status
                   : fail(p, SFT_INVALID_INDEX, at, "weight_map: a file name is not a string");
    }
    status = sft_json_string(&p->json, &file);
    if (status != SFT_OK) {
        return status;
    }
    if (!is_plain_name(&file)) {
        return sft_fail(p->error, SFT_UNSAFE_SHARD_NAME, (uint64_t)(at - p->json.start),
                        "the shard \"%s\" is not a plain file name in the index's folder",
                        sft_show(file.name, file.length).text);
    }
    uint32_t shard = 0;
    status = add_shard(p, &file, &shard);
    return status == SFT_OK ? add_entry(p, &name, shard, key_at) : status;
}

/* ---- the whole ---- */

static sft_status expect_object(parser *p, const char *message) {
    const char *at = p->json.at;
    if (*at == '{') {
        return SFT_OK;
    }
    sft_status status = sft_json_skip(&p->json, 0);
    return status != SFT_OK ? status : fail(p, SFT_INVALID_INDEX, at, message);
}

static sft_status read_section(parser *p, const sft_named *key, const char *key_at, bool *seen,
                               const char *not_object, sft_status (*member)(parser *p)) {
    if (*seen) {
        return fail_duplicate(p, key_at, key);
    }
    *seen = true;
    sft_status status = expect_object(p, not_object);
    return status == SFT_OK ? read_object(p, member) : status;
}

static sft_status read_sections(parser *p) {
    bool seen_metadata = false;
    bool seen_weights = false;
    sft_status status = expect_object(p, "the index is not a JSON object");
    if (status != SFT_OK) {
        return status;
    }
    const char *begin = p->json.at;
    bool more = sft_json_enter(&p->json, '}');
    while (more) {
        const char *key_at = p->json.at;
        sft_named key;
        status = sft_json_key(&p->json, &key);
        if (status == SFT_OK && is(&key, "metadata") && !seen_metadata &&
            sft_json_word(&p->json, "null")) {
            /* As in a header, null stands for none. */
            seen_metadata = true;
        } else if (status == SFT_OK && is(&key, "metadata")) {
            status = read_section(p, &key, key_at, &seen_metadata, "metadata is not an object",
                                  read_metadata_member);
        } else if (status == SFT_OK && is(&key, "weight_map")) {
            status = read_section(p, &key, key_at, &seen_weights, "weight_map is not an object",
                                  read_weight);
        } else if (status == SFT_OK) {
            status = sft_json_skip(&p->json, 1);
        }
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, '}', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return seen_weights ? SFT_OK
                        : fail(p, SFT_INVALID_INDEX, begin,
                               "no weight_map: this is not the index of a sharded model");
}

static sft_status read_document(parser *p, const char *text, uint64_t size) {
    sft_status status = sft_json_begin(&p->json, text, size, 0, &p->index->arena, p->error);
    if (status != SFT_OK) {
        return status;
    }
    sft_json_space(&p->json);
    status = read_sections(p);
    if (status != SFT_OK) {
        return status;
    }
    sft_json_space(&p->json);
    return p->json.at == p->json.end
               ? SFT_OK
               : fail(p, SFT_TRAILING_TEXT, p->json.at, "something stands behind the index");
}

sft_status sft_index_parse(const char *text, uint64_t size, const sft_allocator *allocator,
                           const uint64_t seed[2], sft_index *index, sft_error *error) {
    *index = (sft_index){.allocator = *allocator};
    sft_arena_init(&index->arena, allocator);
    sft_names_init(&index->entry_names, allocator, seed);
    sft_names_init(&index->shard_names, allocator, seed);
    parser p = {.index = index, .error = error};
    sft_status status = read_document(&p, text, size);
    if (status != SFT_OK) {
        sft_error_place(error, text, size, 0);
    }
    return status;
}

void sft_index_free(sft_index *index) {
    sft_names_free(&index->entry_names);
    sft_names_free(&index->shard_names);
    sft_release(&index->allocator, index->entries, index->entry_capacity * sizeof *index->entries);
    sft_release(&index->allocator, index->shards, index->shard_capacity * sizeof *index->shards);
    sft_arena_free(&index->arena);
    *index = (sft_index){.allocator = index->allocator};
}
