/* The memo, held against an array that is searched from its end. */
#include "fixture.h"

#include "base/memory.h"
#include "books.h"
#include "pickle/memo.h"

typedef struct put_entry {
    uint64_t index;
    sft_ref value;
} put_entry;

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Indices of every size, many of them close to others, and often the same ones. */
static uint64_t next_index(uint64_t *state) {
    uint64_t kind = next_random(state) % 4;
    uint64_t small = next_random(state) % 300;
    return kind == 0   ? small
           : kind == 1 ? (UINT64_C(1) << (small % 63)) + next_random(state) % 3
           : kind == 2 ? UINT64_C(0x7fffffffffffffff) - small
                       : small << (small % 50);
}

static sft_ref search(const put_entry *entries, size_t count, uint64_t index) {
    while (count > 0) {
        if (entries[--count].index == index) {
            return entries[count].value;
        }
    }
    return SFT_NO_REF;
}

static void test_as_an_array(void **state) {
    (void)state;
    books kept = {0};
    const sft_allocator allocator = books_allocator(&kept);
    static put_entry entries[4000];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        sft_memo memo = {0};
        uint64_t random = seed;
        uint64_t different = 0;
        for (size_t i = 0; i < 4000; i++) {
            entries[i] = (put_entry){next_index(&random), (sft_ref)i + 1};
            different += search(entries, i, entries[i].index) == SFT_NO_REF;
            assert_true(sft_memo_put(&memo, &allocator, entries[i].index, entries[i].value));
            assert_int_equal(memo.entries, different);
            uint64_t asked = next_index(&random);
            assert_int_equal(sft_memo_get(&memo, asked), search(entries, i + 1, asked));
        }
        for (size_t i = 0; i < 4000; i++) {
            assert_int_equal(sft_memo_get(&memo, entries[i].index),
                             search(entries, 4000, entries[i].index));
        }
        sft_memo_free(&memo, &allocator);
    }
    assert_int_equal(kept.bytes, 0);
    assert_false(kept.wrong);
}

/* No choice of indices takes more than some dozens of bytes an entry. */
static void test_memory_is_linear(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    for (unsigned shift = 0; shift < 44; shift += 4) {
        books kept = {0};
        const sft_allocator allocator = books_allocator(&kept);
        sft_memo memo = {0};
        for (uint64_t i = 0; i < COUNT; i++) {
            assert_true(sft_memo_put(&memo, &allocator, (COUNT - i) << shift, 1));
        }
        assert_int_equal(memo.entries, COUNT);
        assert_true(kept.bytes <= COUNT * 100);
        sft_memo_free(&memo, &allocator);
        assert_int_equal(kept.bytes, 0);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (uint64_t fail_at = 1; fail_at < 8; fail_at++) {
        books kept = {.fail_at = fail_at};
        const sft_allocator allocator = books_allocator(&kept);
        sft_memo memo = {0};
        uint64_t put = 0;
        for (uint64_t i = 0; i < 200; i++) {
            uint64_t index = i % 2 == 0 ? i : i << 40;
            bool fits = sft_memo_put(&memo, &allocator, index, (sft_ref)i + 1);
            put += fits;
            assert_int_equal(sft_memo_get(&memo, index), fits ? i + 1 : SFT_NO_REF);
        }
        assert_int_equal(put, 199);
        assert_int_equal(memo.entries, put);
        sft_memo_free(&memo, &allocator);
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_an_array),
        cmocka_unit_test(test_memory_is_linear),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
