/* Numbers and strings, as text and as bytes: what CPython's readers make of them. */
#include "fixture.h"

#include <locale.h>
#include <math.h>

#include "pickle/literals.h"
#include "pickles.h"

#define NO_INTEGER "a line is no integer"

static void test_int_is_strtol_and_then_python(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("I12\n."), "12", NULL},
        {BYTES("I-12\n."), "-12", NULL},
        {BYTES("I+12\n."), "12", NULL},
        {BYTES("I 12\n."), "12", NULL},
        {BYTES("I\v\f\r\t12\n."), "12", NULL},
        {BYTES("I12 \n."), "12", NULL},
        {BYTES("I12\r\n."), "12", NULL},
        {BYTES("I0x1f\n."), "31", NULL},
        {BYTES("I-0X1F\n."), "-31", NULL},
        {BYTES("I010\n."), "8", NULL},
        {BYTES("I0b101\n."), "5", NULL},
        {BYTES("I0o17\n."), "15", NULL},
        {BYTES("I1_000\n."), "1000", NULL},
        {BYTES("I0x_ff\n."), "255", NULL},
        {BYTES("I0_0\n."), "0", NULL},
        {BYTES("I12\0garbage\n."), "12", NULL},
        {BYTES("I\0garbage\n."), "0", NULL},
        {BYTES("I9223372036854775807\n."), "9223372036854775807", NULL},
        {BYTES("I-9223372036854775808\n."), "-9223372036854775808", NULL},
        {BYTES("I\n."), NO_INTEGER, NULL},
        {BYTES("I \n."), NO_INTEGER, NULL},
        {BYTES("I-\n."), NO_INTEGER, NULL},
        {BYTES("I- 1\n."), NO_INTEGER, NULL},
        {BYTES("I08\n."), NO_INTEGER, NULL},
        {BYTES("I0x\n."), NO_INTEGER, NULL},
        {BYTES("I0xg\n."), NO_INTEGER, NULL},
        {BYTES("I0x__f\n."), NO_INTEGER, NULL},
        {BYTES("I1__0\n."), NO_INTEGER, NULL},
        {BYTES("I_1\n."), NO_INTEGER, NULL},
        {BYTES("I1_\n."), NO_INTEGER, NULL},
        {BYTES("I1L\n."), NO_INTEGER, NULL},
        /* An octal number of C is none of Python: only where it fits is it read. */
        {BYTES("I0777777777777777777777\n."), "9223372036854775807", NULL},
        {BYTES("I01000000000000000000000\n."), NO_INTEGER, NULL},
        {BYTES("I1"), "the input ends within a line", NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_two_characters_are_a_bool(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("I01\n."), "True", NULL},    {BYTES("I00\n."), "False", NULL},
        {BYTES("I+1\n."), "True", NULL},    {BYTES("I-0\n."), "False", NULL},
        {BYTES("I 1\n."), "True", NULL},    {BYTES("I1\0\n."), "True", NULL},
        {BYTES("I\0\0\n."), "False", NULL}, {BYTES("I1\n."), "1", NULL},
        {BYTES("I1 \n."), "1", NULL},       {BYTES("I001\n."), "1", NULL},
        {BYTES("I02\n."), "2", NULL},       {BYTES("I01\r\n."), NO_INTEGER, NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_long_is_python_alone(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("L12L\n."), "12", NULL},        {BYTES("L12\n."), "12", NULL},
        {BYTES("L-0x1fL\n."), "-31", NULL},    {BYTES("L1_0L\n."), "10", NULL},
        {BYTES("L 5 L\n."), "5", NULL},        {BYTES("L000L\n."), "0", NULL},
        {BYTES("L010L\n."), NO_INTEGER, NULL}, {BYTES("LL\n."), NO_INTEGER, NULL},
        {BYTES("L12LL\n."), NO_INTEGER, NULL}, {BYTES("L\n."), NO_INTEGER, NULL},
        {BYTES("L5\0L\n."), "5", NULL},
    };
    EXPECT_PICKLES(cases);
}

/* A BIG_INT's text. */
static void expect_big(const char *bytes, size_t size, const char *wanted, size_t wanted_size) {
    pickled read;
    pickled_read(&read, bytes, size, NULL);
    const sft_graph *graph = &read.pickle.graph;
    assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(sft_graph_kind(graph, read.pickle.result), SFT_VALUE_BIG_INT);
    const sft_long_text *text = sft_graph_text(graph, read.pickle.result);
    assert_int_equal(text->length, wanted_size);
    assert_memory_equal(text->text.bytes, wanted, wanted_size);
    sft_pickle_free(&read.pickle);
}

static void test_large_integers_are_bytes(void **state) {
    (void)state;
    expect_big(BYTES("I9223372036854775808\n."), BYTES("\0\0\0\0\0\0\0\x80\0"));
    expect_big(BYTES("L-9223372036854775809L\n."), BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f\xff"));
    /* The magic number of PyTorch's old files, in digits and as protocol 2 has it. */
    expect_big(BYTES("L119547037146038801333356L\n."),
               BYTES("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"));
    expect_big(BYTES("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."),
               BYTES("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"));
    expect_big(BYTES("L0xffffffffffffffffffffffffffffffffL\n."),
               BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"));
    expect_big(BYTES("L-0x80000000000000000000000000000000L\n."),
               BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80"));
    /* Beyond 128 bits they stay as they are. */
    expect_big(BYTES("L0x100000000000000000000000000000000L\n."),
               BYTES("0x100000000000000000000000000000000"));
    expect_big(BYTES("\x8b\x12\0\0\0abcdefghijklmnopqr."), BYTES("abcdefghijklmnopqr"));
}

static void test_counted_integers(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("\x8a\0."), "0", NULL},
        {BYTES("\x8a\1\x80."), "-128", NULL},
        {BYTES("\x8a\3\0\0\x80."), "-8388608", NULL},
        {BYTES("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\xff."), "-1", NULL},
        {BYTES("\x8a\x08\0\0\0\0\0\0\0\x80."), "-9223372036854775808", NULL},
        /* Longer than it needs to be. */
        {BYTES("\x8a\x09\5\0\0\0\0\0\0\0\0."), "5", NULL},
        {BYTES("\x8b\2\0\0\0\xff\x7f."), "32767", NULL},
        {BYTES("\x8b\xff\xff\xff\xff."), "a number has a negative length", NULL},
        {BYTES("\x8b\xff\xff\xff\x7f."), "the input ends within an opcode", NULL},
        {BYTES("K\xff."), "255", NULL},
        {BYTES("M\xff\xff."), "65535", NULL},
        {BYTES("J\xff\xff\xff\xff."), "-1", NULL},
        {BYTES("J\0\0\0\x80."), "-2147483648", NULL},
        {BYTES("J\xff\xff\xff\x7f."), "2147483647", NULL},
        {BYTES("J\0\0."), "the input ends within an opcode", NULL},
    };
    EXPECT_PICKLES(cases);
}

static double read_float(const char *line, bool *is_float) {
    char room[200];
    double value = 0;
    *is_float = sft_read_float(line, strlen(line), room, &value);
    return value;
}

/* Bit by bit: -0 is not 0. */
static void expect_float(const char *line, double wanted) {
    bool is_float;
    double value = read_float(line, &is_float);
    uint64_t bits[2];
    memcpy(&bits[0], &value, sizeof value);
    memcpy(&bits[1], &wanted, sizeof wanted);
    if (!is_float || bits[0] != bits[1]) {
        fail_msg("%s was read as %.17g", line, value);
    }
}

static void check_floats(void) {
    expect_float("1.5", 1.5);
    expect_float("-1.5e3", -1500);
    expect_float("+.5", 0.5);
    expect_float("5.", 5);
    expect_float("00012", 12);
    expect_float("1E+2", 100);
    expect_float("-0", -0.0);
    expect_float("0.1", 0.1);
    expect_float("123456789012345678901234567890e-20", 1234567890.1234567890123456789);
    expect_float("0.000000000000000000000000000001e30", 1);
    expect_float("2.2250738585072011e-308", 2.2250738585072011e-308);
    expect_float("1e-400", 0);
    expect_float("0e999999999999999999999999", 0);
    expect_float("1e-999999999999999999999999", 0);
    expect_float("inf", (double)INFINITY);
    expect_float("-Infinity", -(double)INFINITY);
    bool is_float;
    assert_true(isnan(read_float("NaN", &is_float)));
    assert_true(is_float);
    static const char *const refused[] = {
        "",     ".",    "-",    " 1",   "1 ",    "e5",     "1e",
        "1e+",  "0x10", "1_0",  "1,5",  "1e400", "-1e400", "1e99999999999999999999",
        "infi", "in",   "nano", "1.5.5"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        read_float(refused[i], &is_float);
        if (is_float) {
            fail_msg("%s is no float", refused[i]);
        }
    }
}

static void test_floats(void **state) {
    (void)state;
    check_floats();
    static const pickle_case cases[] = {
        {BYTES("F1.5\n."), "1.5", NULL},
        {BYTES("F1.5\0x\n."), "1.5", NULL},
        {BYTES("F\n."), "a line is no number", NULL},
        {BYTES("G\x3f\xf8\0\0\0\0\0\0."), "1.5", NULL},
    };
    EXPECT_PICKLES(cases);
}

/* Not that the point is another character in some places. */
static void test_floats_know_no_locale(void **state) {
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < sizeof commas / sizeof commas[0] && !found; i++) {
        found = setlocale(LC_NUMERIC, commas[i]) != NULL;
    }
    if (!found) {
        print_message("no locale with another point than '.' is installed\n");
        skip();
    }
    assert_string_equal(localeconv()->decimal_point, ",");
    check_floats();
    setlocale(LC_NUMERIC, "C");
}

static void test_strings(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("S'abc'\n."), "'abc'", NULL},
        {BYTES("S\"it's\"\n."), "\"it's\"", NULL},
        {BYTES("S'a'b'\n."), "\"a'b\"", NULL},
        {BYTES("S''\n."), "''", NULL},
        {BYTES("S'\\x41\\102\\7\\0'\n."), "'AB\\x07\\x00'", NULL},
        {BYTES("S'\\t\\n\\r\\\\\\''\n."), "\"\\t\\n\\r\\\\'\"", NULL},
        {BYTES("S'\\401\\q\\8'\n."), "'\\x01\\\\q\\\\8'", NULL},
        {BYTES("S'a\0b'\n."), "'a\\x00b'", NULL},
        {BYTES("S'\n."), "a STRING is not quoted", NULL},
        {BYTES("S'abc\"\n."), "a STRING is not quoted", NULL},
        {BYTES("Sabc\n."), "a STRING is not quoted", NULL},
        {BYTES("S'abc' \n."), "a STRING is not quoted", NULL},
        {BYTES("S\n."), "a STRING is not quoted", NULL},
        {BYTES("S'\\'\n."), "a STRING has a broken escape", NULL},
        {BYTES("S'\\x4'\n."), "a STRING has a broken escape", NULL},
        {BYTES("S'\\xg0'\n."), "a STRING has a broken escape", NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_unicode(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("Vabc\n."), "'abc'", NULL},
        {BYTES("V\n."), "''", NULL},
        {BYTES("V\xe9\n."), "'\xc3\xa9'", NULL},
        {BYTES("V\\u00e9\\U0001f600\n."), "'\xc3\xa9\xf0\x9f\x98\x80'", NULL},
        {BYTES("V\\\\u0041\n."), "'\\\\\\\\u0041'", NULL},
        {BYTES("V\\n\\\n."), "'\\\\n\\\\'", NULL},
        {BYTES("V\\u12\n."), "a UNICODE has a broken escape", NULL},
        {BYTES("V\\u12g4\n."), "a UNICODE has a broken escape", NULL},
        {BYTES("V\\U00110000\n."), "a UNICODE has a broken escape", NULL},
        {BYTES("X\2\0\0\0\xc3\xa9."), "'\xc3\xa9'", NULL},
        {BYTES("\x8c\1\xe9."), "a text is not UTF-8", NULL},
        {BYTES("\x8c\2\xc0\x80."), "a text is not UTF-8", NULL},
        {BYTES("\x8c\2\xed\xa0."), "a text is not UTF-8", NULL},
    };
    EXPECT_PICKLES(cases);
}

/* What surrogatepass lets through. */
static void test_surrogates_stay(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } same[] = {{BYTES("V\\ud800x\n.")}, {BYTES("\x8c\4\xed\xa0\x80x.")}};
    for (size_t i = 0; i < 2; i++) {
        pickled read;
        pickled_read(&read, same[i].bytes, same[i].size, NULL);
        assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
        assert_true(sft_graph_is_text(&read.pickle.graph, read.pickle.result, "\xed\xa0\x80x"));
        sft_pickle_free(&read.pickle);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int_is_strtol_and_then_python),
        cmocka_unit_test(test_two_characters_are_a_bool),
        cmocka_unit_test(test_long_is_python_alone),
        cmocka_unit_test(test_large_integers_are_bytes),
        cmocka_unit_test(test_counted_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_floats_know_no_locale),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_unicode),
        cmocka_unit_test(test_surrogates_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
