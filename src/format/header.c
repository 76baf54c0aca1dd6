/* The grammar of a header: docs/format.md, sections 3 to 6. */
#include "format/header.h"

#include <string.h>

#include "base/error.h"
#include "format/json.h"

/* What parsing needs beyond the header it fills. */
typedef struct parser {
    sft_json json;
    sft_header *header;
    sft_limits limits;
    sft_error *error;
    uint32_t *key_at; /* where each tensor's key stands in the text */
    uint64_t key_capacity;
    uint64_t *dimensions; /* of the shape that is being read */
    uint64_t dimension_capacity;
    sft_named *extras; /* keys of the tensor that is being read and that no rule names */
    uint64_t extra_count;
    uint64_t extra_capacity;
    sft_names extra_names;
} parser;

static sft_status fail(const parser *p, sft_status status, const char *at, const char *message) {
    return sft_json_fail(&p->json, status, at, message);
}

static sft_status fail_tensor(const parser *p, const sft_tensor *tensor, sft_status status,
                              const char *at, const char *message) {
    fail(p, status, at, message);
    sft_error_tensor(p->error, tensor->name, tensor->name_length);
    return status;
}

static sft_status fail_duplicate(const parser *p, const char *at, const sft_named *key) {
    return sft_fail(p->error, SFT_DUPLICATE_KEY, p->json.base + (uint64_t)(at - p->json.start),
                    "the key \"%s\" stands twice in one object",
                    sft_show(key->name, key->length).text);
}

static sft_status fail_duplicate_in(const parser *p, const sft_tensor *tensor, const char *at,
                                    const sft_named *key) {
    sft_status status = fail_duplicate(p, at, key);
    sft_error_tensor(p->error, tensor->name, tensor->name_length);
    return status;
}

static inline bool is(const sft_named *key, const char *word, size_t length) {
    return key->length == length && memcmp(key->name, word, length) == 0;
}

/* ---- a tensor's fields ---- */

/* Tells a malformed value, which is no JSON, from JSON of the wrong kind; `depth` levels are open.
 */
static sft_status wrong_value(parser *p, uint32_t depth, const sft_tensor *tensor,
                              sft_status status, const char *message) {
    const char *at = p->json.at;
    sft_status skipped = sft_json_skip(&p->json, depth);
    return skipped != SFT_OK ? skipped : fail_tensor(p, tensor, status, at, message);
}

static sft_status read_dtype(parser *p, sft_tensor *tensor) {
    const char *at = p->json.at;
    if (*at != '"') {
        return wrong_value(p, 2, tensor, SFT_INVALID_DTYPE, "dtype is not a string");
    }
    sft_named name;
    sft_status status = sft_json_string(&p->json, &name);
    if (status == SFT_OK && sft_dtype_parse(name.name, name.length, &tensor->dtype) != SFT_OK) {
        sft_fail(p->error, SFT_UNKNOWN_DTYPE, p->json.base + (uint64_t)(at - p->json.start),
                 "unknown dtype \"%s\"", sft_show(name.name, name.length).text);
        sft_error_tensor(p->error, tensor->name, tensor->name_length);
        return SFT_UNKNOWN_DTYPE;
    }
    return status;
}

/* One non-negative integer of an array. */
static sft_status read_size(parser *p, const sft_tensor *tensor, sft_status otherwise,
                            uint64_t *value) {
    switch (sft_json_unsigned(&p->json, value)) {
    case SFT_JSON_UNSIGNED:
        return SFT_OK;
    case SFT_JSON_TOO_LARGE:
        return fail_tensor(p, tensor, otherwise, p->json.at,
                           otherwise == SFT_INVALID_SHAPE
                               ? "a dimension of the shape is 2^64 or more"
                               : "an offset is 2^64 or more");
    case SFT_JSON_OTHER:
        break;
    }
    return wrong_value(p, 3, tensor, otherwise,
                       otherwise == SFT_INVALID_SHAPE
                           ? "a dimension of the shape is not a non-negative integer"
                           : "an offset is not a non-negative integer");
}

static sft_status add_dimension(parser *p, const sft_tensor *tensor, uint32_t rank,
                                const char *at) {
    if (rank >= p->limits.rank) {
        return fail_tensor(p, tensor, SFT_RANK_TOO_LARGE, at,
                           "the tensor has more dimensions than the limit allows");
    }
    void *dimensions = p->dimensions;
    bool grown = sft_grow(&p->header->allocator, &dimensions, &p->dimension_capacity, rank,
                          sizeof *p->dimensions);
    p->dimensions = dimensions;
    return grown ? SFT_OK : sft_fail_memory(p->error);
}

static sft_status read_shape(parser *p, sft_tensor *tensor) {
    if (*p->json.at != '[') {
        return wrong_value(p, 2, tensor, SFT_INVALID_SHAPE, "shape is not an array");
    }
    uint32_t rank = 0;
    bool more = sft_json_enter(&p->json, ']');
    while (more) {
        sft_status status = add_dimension(p, tensor, rank, p->json.at);
        if (status == SFT_OK) {
            status = read_size(p, tensor, SFT_INVALID_SHAPE, &p->dimensions[rank]);
        }
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, ']', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
        rank++;
    }
    if (rank > 0) {
        uint64_t *shape = sft_arena_take(&p->header->arena, rank * sizeof *shape);
        if (shape == NULL) {
            return sft_fail_memory(p->error);
        }
        memcpy(shape, p->dimensions, rank * sizeof *shape);
        tensor->shape = shape;
    }
    tensor->rank = rank;
    return SFT_OK;
}

static sft_status read_offsets(parser *p, sft_tensor *tensor) {
    static const char wrong[] = "data_offsets is not an array of two offsets";
    const char *at = p->json.at;
    if (*at != '[') {
        return wrong_value(p, 2, tensor, SFT_INVALID_OFFSETS, wrong);
    }
    bool more = sft_json_enter(&p->json, ']');
    uint64_t *offsets[2] = {&tensor->begin, &tensor->end};
    for (int i = 0; i < 2; i++) {
        if (!more) {
            return fail_tensor(p, tensor, SFT_INVALID_OFFSETS, at, wrong);
        }
        sft_status status = read_size(p, tensor, SFT_INVALID_OFFSETS, offsets[i]);
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, ']', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return more ? fail_tensor(p, tensor, SFT_INVALID_OFFSETS, at, wrong) : SFT_OK;
}

/* ---- a tensor ---- */

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

static sft_status read_extra(parser *p, const sft_tensor *tensor, const sft_named *key,
                             const char *key_at) {
    void *extras = p->extras;
    bool grown = sft_grow(&p->header->allocator, &extras, &p->extra_capacity, p->extra_count,
                          sizeof *p->extras);
    p->extras = extras;
    if (!grown) {
        return sft_fail_memory(p->error);
    }
    p->extras[p->extra_count] = *key;
    switch (sft_names_add(&p->extra_names, p->extras, sizeof *p->extras, p->extra_count)) {
    case SFT_NAMES_DUPLICATE:
        return fail_duplicate_in(p, tensor, key_at, key);
    case SFT_NAMES_NO_MEMORY:
        return sft_fail_memory(p->error);
    case SFT_NAMES_ADDED:
        break;
    }
    p->extra_count++;
    return sft_json_skip(&p->json, 2);
}

static sft_status read_field(parser *p, sft_tensor *tensor, unsigned *seen) {
    const char *key_at = p->json.at;
    sft_named key;
    sft_status status = sft_json_key(&p->json, &key);
    if (status != SFT_OK) {
        return status;
    }
    unsigned field = is(&key, "dtype", 5)           ? HAS_DTYPE
                     : is(&key, "shape", 5)         ? HAS_SHAPE
                     : is(&key, "data_offsets", 12) ? HAS_OFFSETS
                                                    : 0;
    if ((*seen & field) != 0) {
        return fail_duplicate_in(p, tensor, key_at, &key);
    }
    *seen |= field;
    switch (field) {
    case HAS_DTYPE:
        return read_dtype(p, tensor);
    case HAS_SHAPE:
        return read_shape(p, tensor);
    case HAS_OFFSETS:
        return read_offsets(p, tensor);
    default:
        return read_extra(p, tensor, &key, key_at);
    }
}

static sft_status read_fields(parser *p, sft_tensor *tensor) {
    const char *at = p->json.at;
    if (*at != '{') {
        return wrong_value(p, 1, tensor, SFT_TENSOR_NOT_OBJECT,
                           "the tensor's description is not an object");
    }
    bool more = sft_json_enter(&p->json, '}');
    unsigned seen = 0;
    while (more) {
        sft_status status = read_field(p, tensor, &seen);
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, '}', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    if (p->extra_count > 0) {
        sft_names_clear(&p->extra_names);
        p->extra_count = 0;
    }
    if (seen != HAS_ALL) {
        return fail_tensor(p, tensor, SFT_MISSING_FIELD, at,
                           (seen & HAS_DTYPE) == 0   ? "dtype is missing"
                           : (seen & HAS_SHAPE) == 0 ? "shape is missing"
                                                     : "data_offsets is missing");
    }
    return SFT_OK;
}

/* Room for `wanted` tensors in all. */
static sft_status make_room(parser *p, uint64_t wanted) {
    sft_header *header = p->header;
    void *tensors = header->tensors;
    void *key_at = p->key_at;
    bool made = sft_reserve(&header->allocator, &tensors, &header->capacity, wanted,
                            sizeof *header->tensors);
    header->tensors = tensors;
    made = made &&
           sft_reserve(&header->allocator, &key_at, &p->key_capacity, wanted, sizeof *p->key_at);
    p->key_at = key_at;
    return made ? SFT_OK : sft_fail_memory(p->error);
}

static sft_status read_tensor(parser *p, const sft_named *name, const char *key_at) {
    sft_header *header = p->header;
    if (header->count >= p->limits.tensors) {
        return fail(p, SFT_TOO_MANY_TENSORS, key_at, "more tensors than the limit allows");
    }
    if (header->count == p->key_capacity) {
        sft_status status = make_room(p, header->count + header->count / 2 + 8);
        if (status != SFT_OK) {
            return status;
        }
    }
    sft_tensor *tensor = &header->tensors[header->count];
    *tensor = (sft_tensor){.name = name->name, .name_length = name->length};
    p->key_at[header->count] = (uint32_t)(key_at - p->json.start);
    switch (sft_names_add(&header->tensor_names, header->tensors, sizeof *tensor, header->count)) {
    case SFT_NAMES_DUPLICATE:
        return fail_duplicate_in(p, tensor, key_at, name);
    case SFT_NAMES_NO_MEMORY:
        return sft_fail_memory(p->error);
    case SFT_NAMES_ADDED:
        break;
    }
    header->count++;
    return read_fields(p, tensor);
}

/* ---- metadata ---- */

static sft_status add_metadata(parser *p, const sft_named *key, const sft_named *value,
                               const char *key_at) {
    sft_header *header = p->header;
    void *metadata = header->metadata;
    bool grown = sft_grow(&header->allocator, &metadata, &header->metadata_capacity,
                          header->metadata_count, sizeof *header->metadata);
    header->metadata = metadata;
    if (!grown) {
        return sft_fail_memory(p->error);
    }
    header->metadata[header->metadata_count] =
        (sft_metadata_entry){key->name, key->length, value->name, value->length};
    switch (sft_names_add(&header->metadata_names, header->metadata, sizeof *header->metadata,
                          header->metadata_count)) {
    case SFT_NAMES_DUPLICATE:
        return fail_duplicate(p, key_at, key);
    case SFT_NAMES_NO_MEMORY:
        return sft_fail_memory(p->error);
    case SFT_NAMES_ADDED:
        break;
    }
    header->metadata_count++;
    return SFT_OK;
}

static sft_status read_metadata_entry(parser *p) {
    const char *key_at = p->json.at;
    sft_named key;
    sft_named value;
    sft_status status = sft_json_key(&p->json, &key);
    if (status != SFT_OK) {
        return status;
    }
    const char *value_at = p->json.at;
    if (*value_at != '"') {
        status = sft_json_skip(&p->json, 2);
        return status != SFT_OK ? status
                                : fail(p, SFT_INVALID_METADATA, value_at,
                                       "a value in __metadata__ is not a string");
    }
    status = sft_json_string(&p->json, &value);
    return status != SFT_OK ? status : add_metadata(p, &key, &value, key_at);
}

static sft_status read_metadata(parser *p, const sft_named *key, const char *key_at) {
    sft_header *header = p->header;
    const char *at = p->json.at;
    if (header->metadata_end != 0) {
        return fail_duplicate(p, key_at, key);
    }
    sft_status status = SFT_OK;
    if (*at == '{') {
        bool more = sft_json_enter(&p->json, '}');
        while (more && status == SFT_OK) {
            status = read_metadata_entry(p);
            if (status == SFT_OK) {
                status = sft_json_more(&p->json, '}', &more);
            }
        }
        header->has_metadata = true;
    } else if (!sft_json_word(&p->json, "null")) {
        status = sft_json_skip(&p->json, 1);
        if (status == SFT_OK) {
            status = fail(p, SFT_INVALID_METADATA, at, "__metadata__ is not an object");
        }
    }
    header->metadata_begin = (uint64_t)(at - p->json.start);
    header->metadata_end = (uint64_t)(p->json.at - p->json.start);
    return status;
}

/* ---- the whole ---- */

static sft_status read_member(parser *p) {
    const char *key_at = p->json.at;
    sft_named key;
    sft_status status = sft_json_key(&p->json, &key);
    if (status != SFT_OK) {
        return status;
    }
    return is(&key, "__metadata__", 12) ? read_metadata(p, &key, key_at)
                                        : read_tensor(p, &key, key_at);
}

static sft_status read_object(parser *p) {
    sft_json_space(&p->json);
    if (*p->json.at != '{') {
        const char *at = p->json.at;
        sft_status status = sft_json_skip(&p->json, 0);
        return status != SFT_OK
                   ? status
                   : fail(p, SFT_HEADER_NOT_OBJECT, at, "the header is not a JSON object");
    }
    bool more = sft_json_enter(&p->json, '}');
    while (more) {
        sft_status status = read_member(p);
        if (status == SFT_OK) {
            status = sft_json_more(&p->json, '}', &more);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    sft_json_space(&p->json);
    if (p->json.at != p->json.end) {
        return fail(p, SFT_TRAILING_TEXT, p->json.at,
                    "something other than spaces stands behind the header's object");
    }
    return SFT_OK;
}

/* A tensor's entry rarely takes fewer bytes than this: the tables seldom have to grow. */
#define TYPICAL_ENTRY 100U

static sft_status parse_text(sft_header *header, const sft_header_options *options,
                             const uint64_t seed[2], sft_error *error) {
    parser p = {.header = header, .limits = options->limits, .error = error};
    sft_status status = sft_json_begin(&p.json, header->text, header->text_size, SFT_HEADER_PREFIX,
                                       &header->arena, error);
    if (status != SFT_OK) {
        sft_error_place(error, header->text, header->text_size, SFT_HEADER_PREFIX);
        return status;
    }
    sft_names_init(&p.extra_names, &header->allocator, seed);
    status = make_room(&p, header->text_size / TYPICAL_ENTRY);
    if (status == SFT_OK) {
        status = sft_names_reserve(&header->tensor_names, header->text_size / TYPICAL_ENTRY)
                     ? read_object(&p)
                     : sft_fail_memory(error);
    }
    if (status == SFT_OK) {
        status = sft_header_layout(header, p.key_at, error);
    } else {
        sft_error_place(error, header->text, header->text_size, SFT_HEADER_PREFIX);
    }
    sft_names_free(&p.extra_names);
    sft_release(&header->allocator, p.extras, p.extra_capacity * sizeof *p.extras);
    sft_release(&header->allocator, p.dimensions, p.dimension_capacity * sizeof *p.dimensions);
    sft_release(&header->allocator, p.key_at, p.key_capacity * sizeof *p.key_at);
    return status;
}

static sft_header *new_header(const sft_header_options *options, const uint64_t seed[2]) {
    sft_allocator outer = sft_allocator_of(options->allocator);
    sft_header *header = sft_allocate(&outer, sizeof *header);
    if (header == NULL) {
        return NULL;
    }
    *header =
        (sft_header){.outer = outer, .budget = {.from = outer, .limit = options->limits.memory}};
    header->allocator = sft_budget_allocator(&header->budget);
    sft_arena_init(&header->arena, &header->allocator);
    sft_names_init(&header->tensor_names, &header->allocator, seed);
    sft_names_init(&header->metadata_names, &header->allocator, seed);
    return header;
}

sft_status sft_header_adopt(char *text, uint64_t text_size, uint64_t file_size,
                            const sft_header_options *given, const uint64_t seed[2],
                            sft_header **header, sft_error *error) {
    sft_header_options options = sft_header_options_of(given);
    sft_header *made = new_header(&options, seed);
    if (made == NULL) {
        sft_allocator outer = sft_allocator_of(options.allocator);
        sft_release(&outer, text, text_size + 1);
        return sft_fail_memory(error);
    }
    made->budget.used = text_size + 1;
    made->text = text;
    made->text_size = text_size;
    made->file_size = file_size;
    made->data_start = SFT_HEADER_PREFIX + text_size;
    sft_status status = parse_text(made, &options, seed, error);
    if (status == SFT_NO_MEMORY && made->budget.exceeded) {
        status = sft_header_fail_limit(error);
    }
    const char *hint = status == SFT_INVALID_UTF8 ? sft_header_hint(text_size) : NULL;
    if (hint != NULL && error != NULL) {
        status = sft_fail(error, status, error->byte,
                          "%s; read as a safetensors file, its header is not UTF-8", hint);
    }
    if (status != SFT_OK) {
        sft_header_free(made);
        return status;
    }
    *header = made;
    return SFT_OK;
}

sft_status sft_header_build(const void *bytes, size_t size, uint64_t file_size,
                            const sft_header_options *options, const uint64_t seed[2],
                            sft_header **header, sft_error *error) {
    uint64_t extent;
    sft_status status = sft_header_extent(bytes, size, file_size, options, &extent, error);
    if (status != SFT_OK) {
        return status;
    }
    if (size < extent) {
        return sft_fail(error, SFT_BUFFER_SIZE, SFT_NO_BYTE,
                        "the bytes end before the header does: see sft_header_extent()");
    }
    uint64_t text_size = extent - SFT_HEADER_PREFIX;
    char *text;
    status = sft_header_take_text(options, text_size, &text, error);
    if (status != SFT_OK) {
        return status;
    }
    memcpy(text, (const char *)bytes + SFT_HEADER_PREFIX, (size_t)text_size);
    return sft_header_adopt(text, text_size, file_size, options, seed, header, error);
}
