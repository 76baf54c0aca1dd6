/* Questions that are put to a graph. */
#include "fixture.h"

#include "pickles.h"

static void test_sizes(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool is_size;
        uint64_t value;
    } cases[] = {
        {BYTES("K\7."), true, 7},    {BYTES("K\0."), true, 0},
        {BYTES("\x88."), true, 1},   {BYTES("I9223372036854775807\n."), true, INT64_MAX},
        {BYTES("I-1\n."), false, 0}, {BYTES("I9223372036854775808\n."), false, 0},
        {BYTES("F7\n."), false, 0},  {BYTES("V7\n."), false, 0},
        {BYTES("N."), false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pickled read;
        uint64_t value = 0;
        pickled_read(&read, cases[i].bytes, cases[i].size, NULL);
        assert_int_equal(sft_graph_size(&read.pickle.graph, read.pickle.result, &value),
                         cases[i].is_size);
        assert_int_equal(value, cases[i].value);
        sft_pickle_free(&read.pickle);
    }
}

static void test_texts(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("(\x8c\3abcU\3abcC\3abc\x8c\0NK\1t."), NULL);
    const sft_graph *graph = &read.pickle.graph;
    static const bool is_abc[] = {true, true, false, false, false, false};
    for (uint32_t i = 0; i < 6; i++) {
        sft_ref item = sft_graph_at(graph, read.pickle.result, i);
        assert_int_equal(sft_graph_is_text(graph, item, "abc"), is_abc[i]);
        assert_int_equal(sft_graph_is_text(graph, item, ""), i == 3);
        assert_false(sft_graph_is_text(graph, item, "ab"));
        assert_false(sft_graph_is_text(graph, item, "abcd"));
    }
    assert_int_equal(sft_graph_at(graph, read.pickle.result, 6), SFT_NO_REF);
    sft_pickle_free(&read.pickle);
}

/* A NUL ends no name. */
static void test_pairs(void **state) {
    (void)state;
    pickled read;
    sft_pair pair;
    pickled_read(&read, BYTES("ca\0b\nc\n."), NULL);
    assert_true(sft_graph_pair(&read.pickle.graph, read.pickle.result, &pair));
    assert_int_equal(pair.module_length, 3);
    assert_memory_equal(pair.module, "a\0b", 3);
    assert_int_equal(pair.name_length, 1);
    assert_memory_equal(pair.name, "c", 1);
    assert_false(sft_graph_is_text(
        &read.pickle.graph, read.pickle.graph.values[read.pickle.result].global.module, "a"));
    sft_pickle_free(&read.pickle);
    pickled_read(&read, BYTES("Va\n."), NULL);
    assert_false(sft_graph_pair(&read.pickle.graph, read.pickle.result, &pair));
    sft_pickle_free(&read.pickle);
}

static void test_items(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint32_t count;
    } cases[] = {
        {BYTES("](K\1K\2K\3e."), 3},
        {BYTES("(K\1K\2t."), 2},
        {BYTES("(K\1K\2d."), 2},
        {BYTES("\x8f(K\1\x90."), 1},
        {BYTES("(K\1\x91."), 1},
        {BYTES("K\1Q."), 1},
        {BYTES("]."), 0},
        {BYTES("\x8c\3abc."), 0},
        {BYTES("ca\nb\n."), 0},
        {BYTES("ca\nb\n)R."), 0},
        {BYTES("K\1."), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pickled read;
        pickled_read(&read, cases[i].bytes, cases[i].size, NULL);
        const sft_graph *graph = &read.pickle.graph;
        for (uint32_t item = 0; item < cases[i].count; item++) {
            sft_ref ref = sft_graph_at(graph, read.pickle.result, item);
            assert_int_equal(sft_graph_value(graph, ref)->integer, item + 1);
        }
        assert_int_equal(sft_graph_at(graph, read.pickle.result, cases[i].count), SFT_NO_REF);
        sft_pickle_free(&read.pickle);
    }
}

/* None, bools and small integers are there once, as in Python. */
static void test_small_values_are_shared(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("(NN\x88\x88\x89I01\nK\7M\7\0J\7\0\0\0M\0\1M\0\1t."), NULL);
    const sft_graph *graph = &read.pickle.graph;
    sft_ref items[11];
    for (uint32_t i = 0; i < 11; i++) {
        items[i] = sft_graph_at(graph, read.pickle.result, i);
    }
    assert_int_equal(items[0], items[1]);
    assert_int_equal(items[2], items[3]);
    assert_int_not_equal(items[2], items[4]);
    assert_int_equal(items[2], items[5]);
    assert_int_equal(items[6], items[7]);
    assert_int_equal(items[6], items[8]);
    assert_int_not_equal(items[9], items[10]);
    sft_pickle_free(&read.pickle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_small_values_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
