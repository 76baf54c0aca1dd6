/* The lowest floor: statuses, UTF-8, numbers, memory budgets, names. */
#include "fixture.h"

#include <time.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "format/number.h"

static void test_statuses_are_pinned(void **state) {
    (void)state;
    assert_int_equal(SFT_OK, 0);
    assert_int_equal(SFT_DUPLICATE_KEY, 110);
    assert_int_equal(SFT_AMBIGUOUS_FOLDER, 408);
    assert_int_equal(SFT_VERIFY_FAILED, 509);
    assert_string_equal(sft_status_name(SFT_DUPLICATE_KEY), "DUPLICATE_KEY");
    assert_string_equal(sft_status_kind(SFT_HOLE), "InvalidOffset");
    assert_null(sft_status_kind(SFT_NO_MEMORY));
    assert_string_equal(sft_status_name((sft_status)99), "UNKNOWN_STATUS");
    unsigned known = 0;
    for (int i = 0; i < 600; i++) {
        if (strcmp(sft_status_name((sft_status)i), "UNKNOWN_STATUS") != 0) {
            known++;
            assert_true(strlen(sft_status_text((sft_status)i)) > 3);
        }
        assert_int_equal(sft_status_is_defect((sft_status)i),
                         (i >= 100 && i <= 128) || (i >= 400 && i <= 406));
    }
    assert_int_equal(known, 14 + 29 + 5 + 6 + 9 + 10);
}

static void test_version_is_one(void **state) {
    (void)state;
    assert_string_equal(sft_version(), SFT_VERSION_STRING);
}

static void test_errors_are_one_escaped_line(void **state) {
    (void)state;
    sft_error error;
    char line[256];
    sft_fail(&error, SFT_HOLE, 77, "a %s", "hole");
    sft_error_tensor(&error, "a\n\x1b\"\xff\xc2\x85\xc3\xa9", 9);
    sft_error_file(&error, "x\ty");
    size_t length = sft_error_format(&error, line, sizeof line);
    assert_string_equal(line, "x\\ty: HOLE: a hole (tensor \"a\\n\\x1b\\\"\\xff\\u0085\xc3\xa9\", "
                              "byte 77)");
    assert_int_equal(length, strlen(line));
    char small[10];
    assert_int_equal(sft_error_format(&error, small, sizeof small), length);
    assert_string_equal(small, "x\\ty: HOL");
    assert_int_equal(sft_error_format(&error, NULL, 0), length);
    assert_status(sft_fail(NULL, SFT_HOLE, 0, "nobody listens"), SFT_HOLE);
}

static void expect_escaped(const char *text, size_t length, const char *keep, const char *wanted) {
    char found[64];
    assert_int_equal(sft_escape(text, length, keep, found, sizeof found), strlen(wanted));
    assert_string_equal(found, wanted);
    assert_int_equal(sft_escape(text, length, keep, NULL, 0), strlen(wanted));
    /* A cut falls between characters, and what is left is a beginning of the whole. */
    for (size_t size = 1; size <= strlen(wanted); size++) {
        char cut[64];
        assert_int_equal(sft_escape(text, length, keep, cut, size), strlen(wanted));
        assert_true(strlen(cut) < size);
        assert_memory_equal(cut, wanted, strlen(cut));
        assert_int_equal(sft_utf8_check((const unsigned char *)cut, strlen(cut)), strlen(cut));
    }
}

static void test_escaping_leaves_nothing_that_commands(void **state) {
    (void)state;
    expect_escaped("plain \"\\ \xc3\xa9 \xe2\x82\xac", 15, NULL,
                   "plain \"\\ \xc3\xa9 \xe2\x82\xac");
    expect_escaped("a\0b", 3, "", "a\\x00b");
    expect_escaped("\n\t\r\x1b[31m\x7f", 9, NULL, "\\n\\t\\r\\x1b[31m\\x7f");
    expect_escaped("\n\t\r", 3, "\n\t", "\n\t\\r");
    /* C1 controls, right-to-left override, isolates, line separator, byte order mark */
    expect_escaped("\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf", 14, NULL,
                   "\\u009b\\u202e\\u2066\\u2028\\ufeff");
    expect_escaped("\xff\xc3", 2, NULL, "\\xff\\xc3");
    expect_escaped("", 0, NULL, "");
}

static void test_long_names_and_paths_are_cut(void **state) {
    (void)state;
    char name[400];
    char path[2000];
    memset(name, 'n', sizeof name);
    memset(path, 'p', sizeof path);
    memcpy(path + sizeof path - 5, "/end", 5);
    sft_error error;
    sft_fail(&error, SFT_HOLE, SFT_NO_BYTE, "x");
    sft_error_tensor(&error, name, sizeof name);
    sft_error_file(&error, path);
    assert_int_equal(error.tensor_length, sizeof error.tensor - 1);
    assert_int_equal(strlen(error.file), sizeof error.file - 1);
    assert_string_equal(error.file + strlen(error.file) - 4, "/end");
    sft_error_file(&error, "other");
    assert_string_not_equal(error.file, "other");
}

/* A header may hold a hundred million bytes to escape; no more of them is looked at than shown. */
static void test_showing_a_long_text_costs_no_more(void **state) {
    (void)state;
    char *text = malloc(1 << 20);
    assert_non_null(text);
    memset(text, 0x7f, 1 << 20);
    clock_t begin = clock();
    for (int i = 0; i < 200; i++) {
        assert_int_equal(strlen(sft_show(text, 1 << 20).text), 4 * 29 + 3);
    }
    assert_true(clock() - begin < CLOCKS_PER_SEC);
    /* The same text, whatever follows, and whatever is cut in two. */
    static const char *const fillers[] = {"x", "\n", "\xff", "\xc3\xa4", "\xe2\x80\xa8"};
    for (size_t f = 0; f < sizeof fillers / sizeof fillers[0]; f++) {
        size_t step = strlen(fillers[f]);
        for (size_t at = 0; at + step <= 600; at += step) {
            memcpy(text + at, fillers[f], step);
        }
        for (size_t lead = 0; lead < 4; lead++) {
            memset(text, 'a', lead);
            char expected[120];
            sft_escape(text, 600, NULL, expected, sizeof expected - 3);
            strcat(expected, "...");
            assert_string_equal(sft_show(text, 600).text, expected);
            assert_string_equal(sft_show(text, 120 + lead).text, expected);
        }
    }
    free(text);
}

/* Every code point, encoded and read back; every two-byte string, against RFC 3629's table. */
static void test_utf8_is_rfc_3629(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char text[4];
        size_t length = sft_utf8_encode(code, text);
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        size_t read = sft_utf8_length((const unsigned char *)text, length);
        assert_int_equal(read, surrogate ? 0 : length);
        if (length > 1 && !surrogate) {
            assert_int_equal(sft_utf8_length((const unsigned char *)text, length - 1), 0);
        }
    }
    static const char *const wrong[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xff",         "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(sft_utf8_length((const unsigned char *)wrong[i], strlen(wrong[i])), 0);
    }
}

/* The fast path takes 32 bytes at a time: a bad byte is found wherever it stands. */
static void test_utf8_check_finds_every_place(void **state) {
    (void)state;
    unsigned char text[100];
    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(sft_utf8_check(text, size), size);
        for (size_t bad = 0; bad < size; bad++) {
            text[bad] = 0xff;
            assert_int_equal(sft_utf8_check(text, size), bad);
            text[bad] = 'a';
        }
    }
}

typedef struct number_case {
    const char *text;
    sft_number_result result;
    size_t end;
} number_case;

static void test_numbers_follow_the_grammar(void **state) {
    (void)state;
    static const number_case cases[] = {
        {"0,", SFT_NUMBER_GOOD, 1},
        {"-0]", SFT_NUMBER_GOOD, 2},
        {"01", SFT_NUMBER_GOOD, 1},
        {"12.50e+3}", SFT_NUMBER_GOOD, 8},
        {"1e-999999999999999999999", SFT_NUMBER_GOOD, 24},
        {"0e999999999999", SFT_NUMBER_GOOD, 14},
        {"0.000e999", SFT_NUMBER_GOOD, 9},
        {"1.7976931348623157e308", SFT_NUMBER_GOOD, 22},
        {"17976931348623157e292", SFT_NUMBER_GOOD, 21},
        {"0.00017976931348623157e312", SFT_NUMBER_GOOD, 26},
        {"1.7976931348623158079e308", SFT_NUMBER_GOOD, 25},
        {"1.7976931348623158080e308", SFT_NUMBER_OUT_OF_RANGE, 25},
        {"1.8e308", SFT_NUMBER_OUT_OF_RANGE, 7},
        {"1e309", SFT_NUMBER_OUT_OF_RANGE, 5},
        {"-1e309", SFT_NUMBER_OUT_OF_RANGE, 6},
        {"0.0001e313", SFT_NUMBER_OUT_OF_RANGE, 10},
        {"1e99999999999999999999999", SFT_NUMBER_OUT_OF_RANGE, 25},
        {"-", SFT_NUMBER_MALFORMED, 1},
        {".5", SFT_NUMBER_MALFORMED, 0},
        {"1.", SFT_NUMBER_MALFORMED, 2},
        {"1.e5", SFT_NUMBER_MALFORMED, 2},
        {"1e", SFT_NUMBER_MALFORMED, 2},
        {"1e+", SFT_NUMBER_MALFORMED, 3},
        {"+1", SFT_NUMBER_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *end;
        assert_int_equal(sft_number_scan(cases[i].text, &end), cases[i].result);
        assert_int_equal(end - cases[i].text, cases[i].end);
    }
    /* 400 digits are an integer no double holds. */
    char digits[402];
    memset(digits, '9', 400);
    digits[400] = '\0';
    const char *end;
    assert_int_equal(sft_number_scan(digits, &end), SFT_NUMBER_OUT_OF_RANGE);
    assert_ptr_equal(end, digits + 400);
}

static void test_checked_arithmetic(void **state) {
    (void)state;
    uint64_t result;
    assert_true(sft_add(UINT64_MAX, 0, &result));
    assert_false(sft_add(UINT64_MAX, 1, &result));
    assert_true(sft_multiply(UINT64_C(1) << 32, UINT32_MAX, &result));
    assert_false(sft_multiply(UINT64_C(1) << 32, UINT64_C(1) << 32, &result));
    assert_true(sft_round_up(9, 8, &result));
    assert_int_equal(result, 16);
    assert_false(sft_round_up(UINT64_MAX, 8, &result));
}

static void test_a_budget_keeps_its_limit(void **state) {
    (void)state;
    sft_budget budget = {.from = sft_allocator_of(NULL), .limit = 100};
    sft_allocator allocator = sft_budget_allocator(&budget);
    void *first = sft_allocate(&allocator, 60);
    assert_non_null(first);
    assert_null(sft_allocate(&allocator, 41));
    assert_true(budget.exceeded);
    assert_null(sft_reallocate(&allocator, first, 60, 101));
    first = sft_reallocate(&allocator, first, 60, 100);
    assert_non_null(first);
    sft_release(&allocator, first, 100);
    assert_int_equal(budget.used, 0);
    assert_null(sft_allocate(&allocator, UINT64_MAX));
    assert_null(sft_allocate_zeroed(&allocator, UINT64_C(1) << 33, UINT64_C(1) << 33));
}

static void test_names_find_what_was_added(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static char text[COUNT][16];
    static sft_named items[COUNT];
    uint64_t seed[2] = {1, 2};
    sft_allocator allocator = sft_allocator_of(NULL);
    sft_names names;
    sft_names_init(&names, &allocator, seed);
    assert_int_equal(sft_names_find(&names, items, sizeof items[0], "", 0), UINT64_MAX);
    for (unsigned i = 0; i < COUNT; i++) {
        items[i] = (sft_named){text[i], (size_t)snprintf(text[i], sizeof text[i], "%u", i)};
        assert_int_equal(sft_names_add(&names, items, sizeof items[0], i), SFT_NAMES_ADDED);
        assert_int_equal(sft_names_add(&names, items, sizeof items[0], i), SFT_NAMES_DUPLICATE);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(
            sft_names_find(&names, items, sizeof items[0], items[i].name, items[i].length), i);
    }
    assert_int_equal(sft_names_find(&names, items, sizeof items[0], "5000", 4), UINT64_MAX);
    sft_names_clear(&names);
    assert_int_equal(sft_names_find(&names, items, sizeof items[0], "7", 1), UINT64_MAX);
    sft_names_free(&names);
}

/* A table that once was large must not make every later clearing slow. */
static void test_clearing_costs_what_is_held(void **state) {
    (void)state;
    static const sft_named one = {"x", 1};
    uint64_t seed[2] = {1, 2};
    sft_allocator allocator = sft_allocator_of(NULL);
    sft_names names;
    sft_names_init(&names, &allocator, seed);
    assert_true(sft_names_reserve(&names, 1000000));
    assert_int_equal(sft_names_add(&names, &one, sizeof one, 0), SFT_NAMES_ADDED);
    sft_names_clear(&names);
    assert_int_equal(names.capacity, 0);
    sft_names_free(&names);
}

static void test_the_hash_depends_on_the_seed(void **state) {
    (void)state;
    uint64_t first[2] = {1, 2};
    uint64_t second[2] = {1, 3};
    assert_true(sft_siphash(first, "weight", 6) != sft_siphash(second, "weight", 6));
    assert_true(sft_siphash(first, "weight", 6) != sft_siphash(first, "weighs", 6));
    assert_true(sft_siphash(first, "", 0) != sft_siphash(first, "\0", 1));
}

static bool larger(const void *things, uint32_t a, uint32_t b) {
    const int *numbers = things;
    return numbers[a] > numbers[b];
}

static void test_sorting_is_stable(void **state) {
    (void)state;
    int numbers[1000];
    sft_allocator allocator = sft_allocator_of(NULL);
    for (uint32_t i = 0; i < 1000; i++) {
        numbers[i] = (int)(i * 7919 % 97);
    }
    uint32_t *order = sft_sort(numbers, 1000, larger, &allocator);
    assert_non_null(order);
    for (uint32_t i = 1; i < 1000; i++) {
        assert_true(numbers[order[i - 1]] < numbers[order[i]] ||
                    (numbers[order[i - 1]] == numbers[order[i]] && order[i - 1] < order[i]));
    }
    sft_release(&allocator, order, 1000 * sizeof *order);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_are_pinned),
        cmocka_unit_test(test_version_is_one),
        cmocka_unit_test(test_errors_are_one_escaped_line),
        cmocka_unit_test(test_escaping_leaves_nothing_that_commands),
        cmocka_unit_test(test_long_names_and_paths_are_cut),
        cmocka_unit_test(test_showing_a_long_text_costs_no_more),
        cmocka_unit_test(test_utf8_is_rfc_3629),
        cmocka_unit_test(test_utf8_check_finds_every_place),
        cmocka_unit_test(test_numbers_follow_the_grammar),
        cmocka_unit_test(test_checked_arithmetic),
        cmocka_unit_test(test_a_budget_keeps_its_limit),
        cmocka_unit_test(test_names_find_what_was_added),
        cmocka_unit_test(test_clearing_costs_what_is_held),
        cmocka_unit_test(test_the_hash_depends_on_the_seed),
        cmocka_unit_test(test_sorting_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
