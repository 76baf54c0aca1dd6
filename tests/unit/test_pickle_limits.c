/* Bombs, limits, memory that ends and inputs that fail: at once, small, and told apart. */
#include "fixture.h"

#include "books.h"
#include "pickles.h"

/* A pickle that is put together. */
typedef struct built {
    unsigned char *bytes;
    size_t size, room;
} built;

static built built_new(size_t room) {
    built new = {malloc(room), 0, room};
    assert_non_null(new.bytes);
    return new;
}

static void add(built *to, const char *bytes, size_t size) {
    assert_true(size <= to->room - to->size);
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void add_number(built *to, uint64_t number, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) {
        const char byte = (char)(number >> (8 * i) & 0xff);
        add(to, &byte, 1);
    }
}

/* Reads with books kept: at most `most` bytes are held at once, and in the end none. */
static void read_within(const built *from, uint64_t most, sft_pickle_end end) {
    books kept = {0};
    const sft_allocator allocator = books_allocator(&kept);
    const sft_pickle_options options = {.allocator = &allocator};
    pickled read;
    pickled_read(&read, from->bytes, from->size, &options);
    assert_int_equal(read.pickle.end, end);
    if (kept.most > most) {
        fail_msg("%llu bytes for a pickle of %zu", (unsigned long long)kept.most, from->size);
    }
    sft_pickle_free(&read.pickle);
    assert_int_equal(kept.bytes, 0);
    assert_false(kept.wrong);
}

static void test_nesting(void **state) {
    (void)state;
    enum { LEVELS = 100000 };
    built deep = built_new(4 * LEVELS);
    for (unsigned i = 0; i < LEVELS; i++) {
        add(&deep, BYTES("]"));
    }
    for (unsigned i = 1; i < LEVELS; i++) {
        add(&deep, BYTES("a"));
    }
    add(&deep, BYTES("."));
    read_within(&deep, LEVELS * 100, SFT_PICKLE_STOPPED);

    deep.size = 0;
    for (unsigned i = 0; i < LEVELS; i++) {
        add(&deep, BYTES("("));
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        add(&deep, BYTES("t"));
    }
    add(&deep, BYTES("."));
    read_within(&deep, LEVELS * 100, SFT_PICKLE_STOPPED);
    free(deep.bytes);
}

/* Each list holds the one before it ten times: 10^100 items, and one node a list. */
static void test_billion_laughs(void **state) {
    (void)state;
    built laughs = built_new(10000);
    add(&laughs, BYTES("]"));
    for (unsigned i = 0; i < 100; i++) {
        add(&laughs, BYTES("q\0000](h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0e"));
    }
    add(&laughs, BYTES("."));
    read_within(&laughs, 70000 + laughs.size * 30, SFT_PICKLE_STOPPED);
    free(laughs.bytes);
}

static void test_sparse_memo(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    built sparse = built_new(COUNT * 5 + 100);
    add(&sparse, BYTES("Nr\xff\xff\xff\x7fr\xff\xff\xff\xffp9223372036854775807\n"));
    for (uint64_t i = 0; i < COUNT; i++) {
        add(&sparse, BYTES("r"));
        add_number(&sparse, i * 214013 & 0xffffffff, 4);
    }
    add(&sparse, BYTES("."));
    read_within(&sparse, 70000 + COUNT * 150, SFT_PICKLE_STOPPED);
    free(sparse.bytes);
}

/* Lengths are held against what is there before any memory is taken. */
static void test_claims(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } claims[] = {
        {BYTES("X\xff\xff\xff\xff")},
        {BYTES("T\xff\xff\xff\xff")},
        {BYTES("B\xff\xff\xff\xff")},
        {BYTES("\x8d\xff\xff\xff\xff\xff\xff\xff\xff")},
        {BYTES("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {BYTES("\x96\0\0\0\0\0\1\0\0")},
        {BYTES("\x8b\xff\xff\xff\x7f")},
        {BYTES("\x95\0\0\0\0\0\1\0\0")},
        {BYTES("\x8c\xff")},
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        built claim = {(unsigned char *)(uintptr_t)claims[i].bytes, claims[i].size, 0};
        read_within(&claim, 2000, SFT_PICKLE_BROKEN);
    }
}

static void test_a_limit_of_memory(void **state) {
    (void)state;
    built lists = built_new(200001);
    memset(lists.bytes, ']', 200000);
    lists.size = 200000;
    add(&lists, BYTES("."));
    const sft_pickle_options options = {.memory = 1 << 20};
    pickled read;
    pickled_read(&read, lists.bytes, lists.size, &options);
    assert_int_equal(read.pickle.end, SFT_PICKLE_LIMIT);
    assert_string_equal(read.pickle.what, "it needs more memory than the limit allows");
    assert_true(read.pickle.position > 10000 && read.pickle.position < 60000);
    assert_int_equal(read.pickle.opcode, ']');
    assert_int_equal(read.pickle.result, SFT_NO_REF);
    /* What was seen before stays. */
    assert_int_equal(read.pickle.graph.value_count, read.pickle.position + 1);
    sft_pickle_free(&read.pickle);
    free(lists.bytes);
}

/* A number or a name that goes on without end: what is no pickle may begin so. */
static void test_endless_lines(void **state) {
    (void)state;
    enum { SIZE = 3 << 20 };
    built line = built_new(SIZE);
    memset(line.bytes, '1', SIZE);
    line.size = SIZE;
    static const char opcodes[] = {'I', 'L', 'F', 'P', 'c', 'p', 'g'};
    for (size_t i = 0; i < sizeof opcodes; i++) {
        line.bytes[0] = (unsigned char)opcodes[i];
        read_within(&line, SIZE, SFT_PICKLE_LIMIT);
    }
    line.bytes[0] = 'V';
    read_within(&line, 4 * SIZE, SFT_PICKLE_BROKEN);
    memcpy(line.bytes + SIZE - 2, "\n.", 2);
    read_within(&line, 6 * SIZE, SFT_PICKLE_STOPPED);
    free(line.bytes);
}

/* Each kind of value, text, effect and row, and a line beyond the window. */
static built all_kinds(void) {
    built all = built_new(200000);
    add(&all, BYTES("(I010\nL99999999999999999999L\n\x8a\x09\1\2\3\4\5\6\7\x08\x09"
                    "F1.5\nS'\\x41'\nV\\u00e9\n\x8c\1aC\1b\x96\1\0\0\0\0\0\0\0c"
                    "](NNe}(K\1K\2u\x8f(K\3\x90(K\4\x91p999999999999\n"
                    "cos\nsystem\n(K\1tR}bNa(K\1K\2u\x8c\1m\x8c\1n\x93)}\x92Pid\nQ\x82\1\x97("));
    for (unsigned i = 0; i < 300; i++) {
        add(&all, BYTES("]\x94\x8c\1x"));
    }
    add(&all, BYTES("(ia\nb\nV"));
    memset(all.bytes + all.size, 'x', 70000);
    all.size += 70000;
    add(&all, BYTES("\nF"));
    memset(all.bytes + all.size, '1', 300);
    all.size += 300;
    add(&all, BYTES("\nN."));
    return all;
}

static void test_every_allocation_fails_once(void **state) {
    (void)state;
    built all = all_kinds();
    uint64_t fail_at = 0;
    sft_status status;
    do {
        books kept = {.fail_at = ++fail_at};
        const sft_allocator allocator = books_allocator(&kept);
        const sft_pickle_options options = {.allocator = &allocator};
        check_input input = {all.bytes, all.size, 0, false};
        const sft_pickle_input given = check_input_of(&input);
        sft_pickle pickle;
        sft_error error;
        status = sft_pickle_read(&pickle, &given, 0, &options, &error);
        const char *wrong = check_graph(&pickle.graph, 0, all.size);
        if (wrong != NULL) {
            fail_msg("%s, where allocation %llu failed", wrong, (unsigned long long)fail_at);
        }
        if (status == SFT_OK) {
            assert_int_equal(pickle.end, SFT_PICKLE_STOPPED);
        } else {
            assert_int_equal(status, SFT_NO_MEMORY);
            assert_int_equal(error.status, SFT_NO_MEMORY);
            assert_int_equal(pickle.end, SFT_PICKLE_FAILED);
        }
        sft_pickle_free(&pickle);
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
    } while (status != SFT_OK);
    assert_true(fail_at > 30);
    free(all.bytes);
}

typedef struct failing_input {
    const built *from;
    unsigned calls;
    unsigned fail_at;
} failing_input;

static sft_status read_or_fail(void *context, uint64_t offset, void *to, uint64_t size,
                               sft_error *error) {
    failing_input *input = context;
    if (++input->calls == input->fail_at) {
        error->status = SFT_FILE_SHRANK;
        return SFT_FILE_SHRANK;
    }
    memcpy(to, input->from->bytes + offset, (size_t)size);
    return SFT_OK;
}

static void test_every_read_fails_once(void **state) {
    (void)state;
    built all = all_kinds();
    failing_input input = {&all, 0, 0};
    const sft_pickle_input given = {&input, read_or_fail, all.size};
    sft_pickle pickle;
    sft_error error;
    sft_status status;
    do {
        input.calls = 0;
        input.fail_at++;
        status = sft_pickle_read(&pickle, &given, 0, NULL, &error);
        assert_null(check_graph(&pickle.graph, 0, all.size));
        assert_int_equal(pickle.end, status == SFT_OK ? SFT_PICKLE_STOPPED : SFT_PICKLE_FAILED);
        assert_true(status == SFT_OK || status == SFT_FILE_SHRANK);
        sft_pickle_free(&pickle);
    } while (status != SFT_OK);
    assert_true(input.fail_at > 2);
    free(all.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_billion_laughs),
        cmocka_unit_test(test_sparse_memo),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_a_limit_of_memory),
        cmocka_unit_test(test_endless_lines),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_every_read_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
