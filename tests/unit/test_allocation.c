/*
 * Every allocation of every call fails once: the call says so, gives back what it
 * had, and works the next time. No call takes memory past the caller's allocator,
 * or gives back other than it took.
 */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scratch.h"

/* ---- an allocator that fails, and keeps the books ---- */

typedef struct books {
    uint64_t calls;
    uint64_t fail_at; /* 0: never */
    uint64_t pieces;  /* held at the moment */
    uint64_t bytes;
    bool wrong; /* something was given back that was not taken so */
} books;

/* Stands before each piece, and keeps what follows aligned. */
typedef union label {
    struct {
        size_t size;
        const books *owner;
    } piece;
    max_align_t alignment;
} label;

static bool refused(books *kept) {
    return ++kept->calls == kept->fail_at;
}

static void *take(void *context, size_t size) {
    books *kept = context;
    label *piece = refused(kept) ? NULL : malloc(sizeof *piece + size);
    if (piece == NULL) {
        return NULL;
    }
    piece->piece.size = size;
    piece->piece.owner = kept;
    kept->pieces++;
    kept->bytes += size;
    /* Nobody may count on zeros. */
    memset(piece + 1, 0xa5, size);
    return piece + 1;
}

static void give_back(void *context, void *memory, size_t size) {
    books *kept = context;
    label *piece = (label *)memory - 1;
    kept->wrong = kept->wrong || piece->piece.size != size || piece->piece.owner != kept;
    kept->pieces--;
    kept->bytes -= piece->piece.size;
    memset(memory, 0x5a, piece->piece.size);
    free(piece);
}

/* Always moves: nobody may count on the old place. */
static void *resize(void *context, void *memory, size_t old_size, size_t new_size) {
    void *moved = take(context, new_size);
    if (moved != NULL) {
        memcpy(moved, memory, old_size < new_size ? old_size : new_size);
        give_back(context, memory, old_size);
    }
    return moved;
}

static books kept;
static const sft_allocator allocator = {&kept, take, resize, give_back};

/* ---- what is tried ---- */

enum { TENSORS = 40, SHAPE = 60 };

static uint64_t shape[] = {10, 6};
static unsigned char data[SHAPE * 4];
static char names[TENSORS][16];
static sft_tensor_data tensors[TENSORS];
static sft_metadata_entry entries[30];
static char keys[30][16];

static sft_write_options write_options(void) {
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.allocator = &allocator;
    options.metadata = entries;
    options.metadata_count = 30;
    return options;
}

static sft_status try_write(sft_error *error) {
    sft_write_options options = write_options();
    return sft_write(scratch("written"), tensors, TENSORS, &options, error);
}

static sft_status try_encode(sft_error *error) {
    static unsigned char to[100000];
    sft_write_options options = write_options();
    uint64_t size;
    sft_status status = sft_encode_size(tensors, TENSORS, &options, &size, error);
    assert_true(status != SFT_OK || size <= sizeof to);
    return status == SFT_OK ? sft_encode(tensors, TENSORS, &options, to, size, error) : status;
}

static sft_status stream(sft_writer *writer, sft_error *error) {
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < TENSORS && status == SFT_OK; i++) {
        status = sft_writer_declare(writer, tensors[i].name, tensors[i].name_length,
                                    tensors[i].dtype, shape, 2, NULL, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_begin(writer, error);
    }
    /* Every other byte first: as many pieces as there can be. */
    for (uint64_t at = 0; at < 2 * tensors[0].size && status == SFT_OK; at++) {
        uint64_t place = at * 2 < tensors[0].size ? at * 2 : at * 2 - tensors[0].size + 1;
        if (place < tensors[0].size) {
            status = sft_writer_put(writer, 0, place, data + place, 1, error);
        }
    }
    for (uint64_t i = 1; i < TENSORS && status == SFT_OK; i++) {
        status = sft_writer_put(writer, i, 0, data, tensors[i].size, error);
    }
    return status == SFT_OK ? sft_writer_commit(writer, error) : status;
}

static sft_status try_writer(sft_error *error) {
    sft_write_options options = write_options();
    sft_writer *writer;
    sft_status status = sft_writer_new(scratch("streamed"), &options, &writer, error);
    if (status == SFT_OK) {
        status = stream(writer, error);
        if (status == SFT_NO_MEMORY) {
            assert_int_equal(sft_writer_commit(writer, NULL), SFT_WRONG_STATE);
        }
        sft_writer_free(writer);
    } else {
        assert_null(writer);
    }
    return status;
}

static sft_status try_edits(sft_error *error) {
    static unsigned turn;
    char value[600];
    snprintf(value, sizeof value, "%0*u", turn % 2 == 0 ? 10 : 590, turn);
    turn++;
    const sft_metadata_change changes[] = {{"new", 3, value, strlen(value)},
                                           {"key 3", 5, NULL, 0},
                                           {"key 3", 5, value, strlen(value)}};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.allocator = &allocator;
    return sft_edit_metadata(scratch("edited"), changes, 3, &options, NULL, error);
}

/* Where the system cannot copy, memory must do. */
static sft_status try_edit_by_copy(sft_error *error) {
    faults.no_copy = faults.no_send = true;
    sft_status status = try_edits(error);
    faults = (struct faults){.calls = 0};
    return status;
}

static sft_status use_file(const sft_file *file, sft_error *error) {
    static unsigned char to[TENSORS][SHAPE * 4];
    const sft_range ranges[] = {{SFT_RANGE, 1, SFT_END, 3}, {SFT_RANGE, 0, 5, 2}};
    uint64_t out_shape[2];
    uint32_t rank;
    uint64_t bytes;
    const sft_tensor *first = sft_at(file, 0);
    sft_status status = sft_slice_shape(first, ranges, 2, out_shape, &rank, &bytes, error);
    if (status == SFT_OK) {
        status = sft_read_slice(file, first, ranges, 2, to[0], bytes, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    sft_read_request requests[TENSORS];
    for (uint64_t i = 0; i < TENSORS; i++) {
        const sft_tensor *tensor = sft_at(file, i);
        requests[i] = (sft_read_request){
            .file = file, .tensor = tensor, .to = to[i], .size = tensor->end - tensor->begin};
    }
    sft_read_options options = SFT_READ_OPTIONS;
    options.allocator = &allocator;
    options.threads = 3;
    return sft_read_many(requests, TENSORS, &options, error);
}

static sft_status try_open(sft_access access, sft_error *error) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.allocator = &allocator;
    options.access = access;
    sft_file *file;
    sft_status status = sft_open(scratch("model/a.safetensors"), &options, &file, error);
    if (status == SFT_OK) {
        status = use_file(file, error);
        sft_close(file);
    } else {
        assert_null(file);
    }
    return status;
}

static sft_status try_open_mapped(sft_error *error) {
    return try_open(SFT_ACCESS_MAP, error);
}

static sft_status try_open_read(sft_error *error) {
    return try_open(SFT_ACCESS_READ, error);
}

static sft_status try_open_memory(sft_error *error) {
    scratch_bytes all = scratch_load("model/a.safetensors");
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.allocator = &allocator;
    sft_file *file;
    sft_status status = sft_open_memory(all.bytes, all.size, &options, &file, error);
    if (status == SFT_OK) {
        status = use_file(file, error);
        sft_close(file);
    }
    free(all.bytes);
    return status;
}

/* Names and values that must be unescaped, unknown fields, deep nesting. */
static sft_status try_parse(sft_error *error) {
    static const char text[] =
        "\x00\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\":{\"\\u0061\":\"\\n\",\"b\":\"\"},"
        "\"\\ud83d\\ude00\":{\"dtype\":\"U8\",\"x\":[[[{\"\\t\":1}]]],\"shape\":[1,1,1,1,1,1],"
        "\"data_offsets\":[0,1]},\"t\":{\"shape\":[],\"dtype\":\"U8\",\"data_offsets\":[1,2]}}";
    char bytes[sizeof text];
    memcpy(bytes, text, sizeof text);
    bytes[0] = (char)(unsigned char)(sizeof text - 1 - 8);
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.allocator = &allocator;
    sft_header *header;
    sft_status status =
        sft_header_parse(bytes, sizeof text - 1, sizeof text - 1 + 2, &options, &header, error);
    if (status == SFT_OK) {
        assert_int_equal(sft_header_count(header), 2);
        sft_header_free(header);
    } else {
        assert_null(header);
    }
    return status;
}

static sft_status try_model(const char *path, sft_error *error) {
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.allocator = &allocator;
    sft_model *model;
    sft_status status = sft_model_open(path, &options, &model, error);
    if (status == SFT_OK) {
        assert_int_equal(sft_model_shards(model), 2);
        sft_model_close(model);
    } else {
        assert_null(model);
    }
    return status;
}

static sft_status try_folder(sft_error *error) {
    return try_model(scratch("model"), error);
}

static sft_status try_index(sft_error *error) {
    return try_model(scratch("model/model.safetensors.index.json"), error);
}

/* ---- the rounds ---- */

typedef struct attempt {
    const char *name;
    sft_status (*run)(sft_error *error);
} attempt;

static void expect_nothing_held(const char *name) {
    if (kept.pieces != 0 || kept.bytes != 0 || kept.wrong) {
        fail_msg("%s: %llu pieces of %llu bytes are left, %s", name,
                 (unsigned long long)kept.pieces, (unsigned long long)kept.bytes,
                 kept.wrong ? "and some were given back wrongly" : "");
    }
}

static void every_allocation_fails_once(void **state) {
    const attempt *what = *state;
    int before = -1;
    for (uint64_t fail_at = 0;; fail_at++) {
        kept = (books){.fail_at = fail_at};
        sft_error error = {.status = SFT_OK};
        sft_status status = what->run(&error);
        expect_nothing_held(what->name);
        /* Round 0 fails nothing, and says how many files there should be. */
        before = fail_at == 0 ? scratch_count(".") : before;
        assert_int_equal(scratch_count("."), before);
        if (fail_at == 0) {
            expect_status(status, SFT_OK, &error);
            assert_true(kept.calls > 0);
        } else if (kept.calls < fail_at) {
            expect_status(status, SFT_OK, &error);
            break;
        } else if (status != SFT_OK) {
            expect_status(status, SFT_NO_MEMORY, &error);
            assert_int_equal(error.status, SFT_NO_MEMORY);
        }
    }
}

static int setup(void **state) {
    if (scratch_setup(state) != 0 || mkdir(scratch("model"), 0755) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < TENSORS; i++) {
        snprintf(names[i], sizeof names[i], "tensor \"%u\"", i);
        tensors[i] =
            (sft_tensor_data){names[i], strlen(names[i]), SFT_F32, 2, shape, data, sizeof data};
    }
    for (unsigned i = 0; i < 30; i++) {
        snprintf(keys[i], sizeof keys[i], "key %u", i);
        entries[i] = (sft_metadata_entry){keys[i], strlen(keys[i]), keys[i], strlen(keys[i])};
    }
    char index[4096] = "{\"metadata\":{\"total_size\":19200},\"weight_map\":{";
    size_t used = strlen(index);
    sft_tensor_data other[TENSORS];
    static char other_names[TENSORS][16];
    for (unsigned i = 0; i < TENSORS; i++) {
        snprintf(other_names[i], sizeof other_names[i], "other %u", i);
        other[i] = tensors[i];
        other[i].name = other_names[i];
        other[i].name_length = strlen(other_names[i]);
        used += (size_t)snprintf(index + used, sizeof index - used,
                                 "%s\"tensor \\\"%u\\\"\":\"a.safetensors\","
                                 "\"other %u\":\"b.safetensors\"",
                                 i > 0 ? "," : "", i, i);
    }
    snprintf(index + used, sizeof index - used, "}}");
    scratch_store("model/model.safetensors.index.json", index, strlen(index));
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = entries;
    options.metadata_count = 30;
    return sft_write(scratch("model/a.safetensors"), tensors, TENSORS, &options, NULL) != SFT_OK ||
           sft_write(scratch("model/b.safetensors"), other, TENSORS, &options, NULL) != SFT_OK ||
           sft_write(scratch("edited"), other, TENSORS, &options, NULL) != SFT_OK;
}

#define ATTEMPT(name)                                                                              \
    { #name, name }

int main(void) {
    static attempt attempts[] = {
        ATTEMPT(try_encode),    ATTEMPT(try_write),        ATTEMPT(try_writer),
        ATTEMPT(try_edits),     ATTEMPT(try_edit_by_copy), ATTEMPT(try_open_mapped),
        ATTEMPT(try_open_read), ATTEMPT(try_open_memory),  ATTEMPT(try_parse),
        ATTEMPT(try_folder),    ATTEMPT(try_index),
    };
    enum { ATTEMPTS = sizeof attempts / sizeof attempts[0] };
    struct CMUnitTest tests[ATTEMPTS];
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        tests[i] = (struct CMUnitTest){.name = attempts[i].name,
                                       .test_func = every_allocation_fails_once,
                                       .initial_state = &attempts[i]};
    }
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
