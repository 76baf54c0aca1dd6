/* The calls of sft/scan.h: what they return, and what a result tells. */
#define _GNU_SOURCE
#include "fixture.h"

#include "scans.h"
#include "scratch.h"

#include <errno.h>

#include <sft/scan.h>

/* ---- a source of the test's own ---- */

typedef struct provider {
    const unsigned char *bytes;
    uint64_t size;
    uint64_t ends;    /* bytes that there really are */
    int size_failure; /* errno */
    int read_failure; /* errno, from byte `fails_from` on */
    uint64_t fails_from;
    unsigned closed;
} provider;

static int provider_size(void *context, uint64_t *size) {
    const provider *from = context;
    *size = from->size;
    return from->size_failure;
}

static int64_t provider_read(void *context, uint64_t offset, void *to, size_t size) {
    const provider *from = context;
    if (from->read_failure != 0 && offset + size > from->fails_from) {
        return -from->read_failure;
    }
    if (offset >= from->ends) {
        return 0;
    }
    /* As few at a time as possible: whoever wants more must ask again. */
    size_t moved = size < 3 ? size : 3;
    moved = moved < from->ends - offset ? moved : (size_t)(from->ends - offset);
    memcpy(to, from->bytes + offset, moved);
    return (int64_t)moved;
}

static void provider_close(void *context) {
    ((provider *)context)->closed++;
}

static provider provide(const void *bytes, size_t size) {
    return (provider){.bytes = bytes, .size = size, .ends = size};
}

static sft_status scan_provider(provider *from, sft_scan_result **result, sft_error *error) {
    sft_source source = {from, provider_size, provider_read, NULL, provider_close};
    return sft_scan_source(&source, NULL, result, error);
}

/* ---- the three ways to give a file ---- */

static void path_memory_and_source_say_the_same(void **state) {
    (void)state;
    const char *wanted = "dangerous pickle: DANGEROUS_GLOBAL@2 DANGEROUS_CALL@21";
    scratch_store("evil.bin", BYTES(PAYLOAD));
    sft_scan_result *result;
    assert_ok(sft_scan(scratch("evil.bin"), NULL, &result, NULL));
    expect_line(result, wanted);
    sft_scan_free(result);
    expect_scan(BYTES(PAYLOAD), wanted);
    provider from = provide(BYTES(PAYLOAD));
    assert_ok(scan_provider(&from, &result, NULL));
    expect_line(result, wanted);
    sft_scan_free(result);
    assert_int_equal(from.closed, 1);
}

static void a_finding_tells_where_and_what(void **state) {
    (void)state;
    sft_scan_result *result = scan_with(BYTES(PAYLOAD), NULL);
    assert_int_equal(sft_scan_count(result), 2);
    assert_int_equal(sft_scan_found(result), 2);
    const sft_finding *call = sft_scan_at(result, 1);
    assert_int_equal(call->severity, SFT_SEVERITY_DANGEROUS);
    assert_string_equal(call->where, "byte 21, REDUCE");
    assert_string_equal(call->opcode, "REDUCE");
    assert_string_equal(call->global, "os.system");
    assert_string_equal(call->call, "os.system('id')");
    assert_non_null(strstr(call->detail, "os.system('id')"));
    assert_null(call->member);
    assert_null(sft_scan_at(result, 2));
    assert_null(sft_scan_at(result, UINT64_MAX));
    assert_true(sft_scan_recognized(result));
    sft_scan_free(result);
}

static void names_of_verdicts_and_severities(void **state) {
    (void)state;
    assert_string_equal(sft_verdict_name(SFT_VERDICT_CLEAN), "clean");
    assert_string_equal(sft_verdict_name(SFT_VERDICT_MALFORMED), "malformed");
    assert_string_equal(sft_verdict_name(SFT_VERDICT_UNKNOWN), "unknown");
    assert_string_equal(sft_verdict_name(SFT_VERDICT_DANGEROUS), "dangerous");
    assert_null(sft_verdict_name((sft_verdict)4));
    assert_string_equal(sft_severity_name(SFT_SEVERITY_WARNING), "warning");
    assert_string_equal(sft_severity_name(SFT_SEVERITY_MALFORMED), "malformed");
    assert_string_equal(sft_severity_name(SFT_SEVERITY_UNKNOWN), "unknown");
    assert_string_equal(sft_severity_name(SFT_SEVERITY_DANGEROUS), "dangerous");
    assert_null(sft_severity_name((sft_severity)4));
    sft_scan_free(NULL);
}

/* ---- what is no result ---- */

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    sft_scan_result *result = (sft_scan_result *)1;
    assert_status(sft_scan(NULL, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    assert_null(result);
    assert_status(sft_scan("x", NULL, NULL, NULL), SFT_INVALID_ARGUMENT);
    assert_status(sft_scan_memory(NULL, 1, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    assert_status(sft_scan_memory("", UINT64_MAX, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    assert_status(sft_scan_source(NULL, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    provider from = provide(BYTES(PAYLOAD));
    sft_source source = {&from, NULL, provider_read, NULL, provider_close};
    assert_status(sft_scan_source(&source, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    source = (sft_source){&from, provider_size, NULL, NULL, provider_close};
    assert_status(sft_scan_source(&source, NULL, &result, NULL), SFT_INVALID_ARGUMENT);
    assert_int_equal(from.closed, 0);
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    sft_scan_result *result;
    sft_error error;
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.struct_size = 0;
    assert_status(sft_scan_memory("", 0, &options, &result, &error), SFT_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "SFT_SCAN_OPTIONS"));
    options = (sft_scan_options)SFT_SCAN_OPTIONS;
    options.allowed_count = 1;
    assert_status(sft_scan_memory("", 0, &options, &result, NULL), SFT_INVALID_ARGUMENT);
    const sft_allowed nameless = {"module", NULL};
    options.allowed = &nameless;
    assert_status(sft_scan_memory("", 0, &options, &result, NULL), SFT_INVALID_ARGUMENT);
    sft_allocator lacking = {NULL, NULL, NULL, NULL};
    options = (sft_scan_options)SFT_SCAN_OPTIONS;
    options.allocator = &lacking;
    assert_status(sft_scan_memory("", 0, &options, &result, NULL), SFT_INVALID_ARGUMENT);
}

static void what_cannot_be_read_has_no_verdict(void **state) {
    (void)state;
    sft_scan_result *result;
    sft_error error;
    assert_status(sft_scan(scratch("nothing"), NULL, &result, &error), SFT_OPEN_FAILED);
    assert_null(result);
    assert_int_equal(error.system_error, ENOENT);
    assert_string_equal(error.file, scratch("nothing"));
    assert_status(sft_scan(scratch("."), NULL, &result, &error), SFT_NOT_A_FILE);
    assert_int_equal(mkfifo(scratch("pipe"), 0600), 0);
    assert_status(sft_scan(scratch("pipe"), NULL, &result, &error), SFT_NOT_A_FILE);
    provider from = provide(BYTES(PAYLOAD));
    from.size_failure = EIO;
    assert_status(scan_provider(&from, &result, &error), SFT_READ_FAILED);
    assert_int_equal(from.closed, 1);
    from = provide(BYTES(PAYLOAD));
    from.ends = 5;
    assert_status(scan_provider(&from, &result, &error), SFT_FILE_SHRANK);
    assert_int_equal(from.closed, 1);
    from = provide(BYTES(PAYLOAD));
    from.read_failure = EIO;
    assert_status(scan_provider(&from, &result, &error), SFT_READ_FAILED);
    assert_int_equal(error.system_error, EIO);
    assert_null(result);
    assert_status(scan_provider(&from, &result, NULL), SFT_READ_FAILED);
}

typedef struct teller {
    uint64_t calls;
    uint64_t stop_at; /* 0: never */
    uint64_t done;
    uint64_t total;
} teller;

static bool tell(void *context, uint64_t done, uint64_t total) {
    teller *to = context;
    assert_true(done >= to->done && done <= total);
    to->done = done;
    to->total = total;
    return ++to->calls != to->stop_at;
}

static void progress_goes_up_to_all_and_can_end_the_scan(void **state) {
    (void)state;
    size_t size = 20 << 20;
    char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    /* Opcodes all the way: a long text would be skipped. */
    memcpy(bytes, "\x80\x02", 2);
    for (size_t i = 2; i + 2 < size; i += 2) {
        memcpy(bytes + i, "N0", 2);
    }
    memcpy(bytes + size - 2, "N.", 2);
    teller told = {0};
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.progress = tell;
    options.progress_context = &told;
    sft_scan_result *result;
    assert_ok(sft_scan_memory(bytes, size, &options, &result, NULL));
    expect_line(result, "clean pickle:");
    sft_scan_free(result);
    assert_true(told.calls >= 4);
    assert_int_equal(told.done, size);
    assert_int_equal(told.total, size);
    for (uint64_t stop_at = 1; stop_at <= told.calls; stop_at++) {
        teller stops = {.stop_at = stop_at};
        options.progress_context = &stops;
        sft_error error;
        assert_status(sft_scan_memory(bytes, size, &options, &result, &error), SFT_CANCELLED);
        assert_null(result);
        assert_int_equal(error.status, SFT_CANCELLED);
        assert_int_equal(stops.calls, stop_at);
    }
    free(bytes);
}

/* ---- options ---- */

static void allowed_names_are_inert_unless_they_are_dangerous(void **state) {
    (void)state;
    const sft_allowed pairs[] = {{"ours.models", "Net"}, {"os", "system"}};
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.allowed = pairs;
    options.allowed_count = 2;
    static const char ours[] = "\x80\x02"
                               "cours.models\nNet\n)\x81.";
    expect_scan(BYTES(ours), "unknown pickle: UNKNOWN_GLOBAL@2 UNKNOWN_CALL@20");
    expect_scan_with(BYTES(ours), &options, "clean pickle:");
    expect_scan_with(BYTES(PAYLOAD), &options,
                     "dangerous pickle: DANGEROUS_GLOBAL@2 DANGEROUS_CALL@21");
}

/* Worse findings push out others; those that stay keep their order. */
static void the_worst_findings_stay(void **state) {
    (void)state;
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.limits.findings = 3;
    static const char many[] = "ca\nb\n0ca\nc\n0ca\nd\n0ca\ne\n0cos\na\n0ca\nf\n0cos\nb\n.";
    sft_scan_result *result = scan_with(BYTES(many), &options);
    expect_line(result,
                "dangerous pickle: UNKNOWN_GLOBAL@0 DANGEROUS_GLOBAL@24 DANGEROUS_GLOBAL@37");
    assert_int_equal(sft_scan_found(result), 7);
    sft_scan_free(result);
}

static void memory_beyond_the_limit_is_malformed(void **state) {
    (void)state;
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.limits.memory = 1 << 20;
    size_t size = 1 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, ']', size);
    memcpy(bytes, "\x80\x02", 2);
    sft_scan_result *result = scan_with(bytes, size, &options);
    assert_int_equal(sft_scan_verdict(result), SFT_VERDICT_MALFORMED);
    assert_string_equal(sft_scan_at(result, 0)->code, "LIMIT");
    sft_scan_free(result);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_memory_and_source_say_the_same),
        cmocka_unit_test(a_finding_tells_where_and_what),
        cmocka_unit_test(names_of_verdicts_and_severities),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(what_cannot_be_read_has_no_verdict),
        cmocka_unit_test(progress_goes_up_to_all_and_can_end_the_scan),
        cmocka_unit_test(allowed_names_are_inert_unless_they_are_dangerous),
        cmocka_unit_test(the_worst_findings_stay),
        cmocka_unit_test(memory_beyond_the_limit_is_malformed),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
