/* The input is read from front to back, in pieces: where they meet is seen by nobody. */
#include "fixture.h"

#include "pickle/window.h"
#include "pickles.h"

static const char tail[] = "(I123456\nL12345678901234567890L\nF1.25\nS'a\\x41b'\nV\\u00e9t\xc3\n"
                           "J\1\2\3\4G?\xf8\0\0\0\0\0\0\x8c\5shortB\4\0\0\0four"
                           "\x8d\3\0\0\0\0\0\0\0abc\x8a\x0a\1\2\3\4\5\6\7\x08\x09\x0a"
                           "cmodule\nname\n(Vx\ninst\nance\nPid\np77\ng77\nr\1\2\3\4t.";

static const char *const shown =
    "(123456, <an integer of 9 bytes>, 1.25, 'aAb', '\xc3\xa9t\xc3\x83', 67305985, 1.5, 'short', "
    "b'four', 'abc', <an integer of 10 bytes>, module.name, nst.ance('x'), persistent_load('id'), "
    "persistent_load('id'))";

/* The end of the first piece at each byte of a pickle; before it a line that is dropped. */
static void test_every_place_of_a_boundary(void **state) {
    (void)state;
    size_t size = SFT_WINDOW_SIZE + sizeof tail + 8;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t left = 0; left < sizeof tail; left++) {
        size_t line = (size_t)SFT_WINDOW_SIZE - left - 3;
        bytes[0] = 'V';
        memset(bytes + 1, 'x', line);
        memcpy(bytes + 1 + line, "\n0", 2);
        memcpy(bytes + 3 + line, tail, sizeof tail - 1);
        pickled read;
        pickled_read(&read, bytes, 3 + line + sizeof tail - 1, NULL);
        assert_string_equal(pickled_shown(&read), shown);
        assert_string_equal(pickled_effects(&read),
                            "GLOBAL module.name, GLOBAL nst.ance, CALL, PERSISTENT, MEMO");
        sft_pickle_free(&read.pickle);
    }
    free(bytes);
}

typedef struct sparse {
    uint64_t read; /* bytes that were asked for */
} sparse;

/* Texts of many gigabytes, one behind the other: BINBYTES8, 2^40 bytes each; then None and STOP. */
static sft_status read_sparse(void *context, uint64_t offset, void *to, uint64_t size,
                              sft_error *error) {
    sparse *input = context;
    unsigned char *bytes = to;
    (void)error;
    input->read += size;
    for (uint64_t i = 0; i < size; i++) {
        uint64_t place = (offset + i) % ((UINT64_C(1) << 40) + 9);
        bool last = (offset + i) / ((UINT64_C(1) << 40) + 9) == 5;
        bytes[i] = place == 0 ? 0x8e : place == 6 ? 1 : 0;
        if (last) {
            bytes[i] = place == 0 ? 'N' : '.';
        }
    }
    return SFT_OK;
}

static void test_long_texts_are_skipped(void **state) {
    (void)state;
    sparse input = {0};
    uint64_t one = (UINT64_C(1) << 40) + 9;
    const sft_pickle_input given = {&input, read_sparse, 5 * one + 2};
    sft_pickle pickle;
    assert_ok(sft_pickle_read(&pickle, &given, 0, NULL, NULL));
    assert_int_equal(pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(pickle.position, 5 * one + 2);
    assert_true(input.read <= 6 * SFT_WINDOW_SIZE);
    assert_int_equal(pickle.graph.text_count, 5);
    for (uint64_t i = 0; i < 5; i++) {
        assert_null(pickle.graph.texts[i].text.bytes);
        assert_int_equal(pickle.graph.texts[i].text.offset, i * one + 9);
        assert_int_equal(pickle.graph.texts[i].length, UINT64_C(1) << 40);
    }
    sft_pickle_free(&pickle);
}

/* Where a text lies that is longer than what is kept, from each opcode that leaves it there. */
static void test_long_texts_are_where_they_stand(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint64_t offset;
        sft_value_kind kind;
    } cases[] = {
        {BYTES("X\5\0\0\0abcde."), 5, SFT_VALUE_STR},
        {BYTES("\x8c\5abcde."), 2, SFT_VALUE_STR},
        {BYTES("U\5abcde."), 2, SFT_VALUE_OLD_STR},
        {BYTES("C\5abcde."), 2, SFT_VALUE_BYTES},
        {BYTES("\x96\5\0\0\0\0\0\0\0abcde."), 9, SFT_VALUE_BYTEARRAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t kept = 4; kept <= 5; kept++) {
            const sft_pickle_options options = {.text_in_memory = kept};
            pickled read;
            pickled_read(&read, cases[i].bytes, cases[i].size, &options);
            const sft_graph *graph = &read.pickle.graph;
            assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
            assert_int_equal(sft_graph_kind(graph, read.pickle.result), cases[i].kind);
            const sft_long_text *text = sft_graph_text(graph, read.pickle.result);
            assert_int_equal(text->length, 5);
            assert_int_equal(text->text.bytes != NULL, kept == 5);
            assert_int_equal(text->text.offset, kept == 5 ? 0 : cases[i].offset);
            sft_pickle_free(&read.pickle);
        }
    }
}

static void test_long_names_are_no_pair(void **state) {
    (void)state;
    const sft_pickle_options options = {.text_in_memory = 4};
    pickled read;
    pickled_read(&read, BYTES("cmodule\nname\n."), &options);
    const sft_graph *graph = &read.pickle.graph;
    sft_pair pair;
    assert_false(sft_graph_pair(graph, read.pickle.result, &pair));
    const sft_global *global = &sft_graph_value(graph, read.pickle.result)->global;
    assert_int_equal(sft_graph_text(graph, global->module)->text.offset, 1);
    assert_int_equal(sft_graph_text(graph, global->module)->length, 6);
    assert_true(sft_graph_is_text(graph, global->name, "name"));
    assert_false(sft_graph_is_text(graph, global->module, "module"));
    sft_pickle_free(&read.pickle);
}

/* ---- raw bytes behind BUILD ---- */

typedef struct raw_bytes {
    uint64_t position; /* at which the hook was called last */
    uint64_t offset, size, next;
    unsigned calls;
} raw_bytes;

static bool tell_raw(void *context, const sft_graph *graph, sft_ref object, uint64_t position,
                     uint64_t *raw_offset, uint64_t *raw_size, uint64_t *next) {
    raw_bytes *raw = context;
    assert_int_equal(sft_graph_kind(graph, object), SFT_VALUE_OBJECT);
    assert_int_equal(sft_graph_object(graph, object)->state_count, ++raw->calls);
    raw->position = position;
    *raw_offset = raw->offset;
    *raw_size = raw->size;
    *next = raw->next;
    return raw->next != 0;
}

static sft_pickle_end read_raw(raw_bytes raw, const char *bytes, size_t size, const char *effects,
                               uint64_t *raw_size) {
    sft_pickle_options options = {.after_build = tell_raw, .after_build_context = &raw};
    pickled read;
    pickled_read(&read, bytes, size, &options);
    assert_int_equal(raw.position, 9);
    assert_string_equal(pickled_effects(&read), effects);
    sft_pickle_end end = read.pickle.end;
    *raw_size = end == SFT_PICKLE_STOPPED
                    ? sft_graph_object(&read.pickle.graph, read.pickle.result)->raw_size
                    : 0;
    sft_pickle_free(&read.pickle);
    return end;
}

static void test_raw_bytes(void **state) {
    (void)state;
    static const char effects[] = "GLOBAL a.b, CALL, STATE";
    uint64_t size;
    /* It begins at byte 9; two bytes of padding, three of content. */
    assert_int_equal(read_raw((raw_bytes){.offset = 11, .size = 3, .next = 14},
                              BYTES("ca\nb\n)RNb\xff\xff!!!."), effects, &size),
                     SFT_PICKLE_STOPPED);
    assert_int_equal(size, 3);
    assert_int_equal(read_raw((raw_bytes){.next = 0}, BYTES("ca\nb\n)RNb."), effects, &size),
                     SFT_PICKLE_STOPPED);
    assert_int_equal(size, 0);
    static const raw_bytes beyond[] = {
        {.offset = 8, .size = 1, .next = 9},
        {.offset = 9, .size = 2, .next = 11},
        {.offset = 9, .size = 2, .next = 10},
        {.offset = 11, .size = 0, .next = 11},
        {.offset = 9, .size = UINT64_MAX, .next = 10},
        {.offset = UINT64_MAX, .size = 1, .next = 10},
        {.offset = 9, .size = 1, .next = UINT64_MAX},
        {.offset = 8, .size = 0, .next = 8},
    };
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        assert_int_equal(read_raw(beyond[i], BYTES("ca\nb\n)RNb."), effects, &size),
                         SFT_PICKLE_BROKEN);
    }
}

/* A reader of frames would find the raw bytes behind the frame. */
static void test_raw_bytes_in_a_frame(void **state) {
    (void)state;
    raw_bytes raw = {.offset = 18, .size = 1, .next = 19};
    sft_pickle_options options = {.after_build = tell_raw, .after_build_context = &raw};
    pickled read;
    pickled_read(&read, BYTES("\x95\x0b\0\0\0\0\0\0\0ca\nb\n)RNb!."), &options);
    assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
    assert_string_equal(pickled_effects(&read), "GLOBAL a.b, CALL, STATE, STRADDLED");
    sft_pickle_free(&read.pickle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place_of_a_boundary),
        cmocka_unit_test(test_long_texts_are_skipped),
        cmocka_unit_test(test_long_texts_are_where_they_stand),
        cmocka_unit_test(test_long_names_are_no_pair),
        cmocka_unit_test(test_raw_bytes),
        cmocka_unit_test(test_raw_bytes_in_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
