/* A pickle that is read and judged, and what came of it, as text. Include behind fixture.h. */
#ifndef SFT_TESTS_JUDGED_H
#define SFT_TESTS_JUDGED_H

#include "pickle/judge.h"

typedef struct judged {
    sft_pickle pickle;
    sft_pickle_input input;
    const char *bytes;
    sft_severity worst; /* WARNING: there was no judgement */
    char codes[2000];   /* of all judgements, in order, with blanks between */
    char detail[1200];  /* of the last one */
    char call[500];
    char global[300];
    char handed[2000];   /* what was handed on, shown, with "; " between; "!" before a loader's */
    unsigned stop_after; /* judgements; 0: never */
    unsigned count;
} judged;

static inline sft_status judged_read(void *context, uint64_t offset, void *to, uint64_t size,
                                     sft_error *error) {
    const judged *j = context;
    (void)error;
    assert_true(offset <= j->input.size && size <= j->input.size - offset);
    memcpy(to, j->bytes + offset, (size_t)size);
    return SFT_OK;
}

static inline void judged_add(char *to, size_t size, const char *between, const char *text) {
    size_t used = strlen(to);
    snprintf(to + used, size - used, "%s%s", used > 0 ? between : "", text);
}

static inline bool judged_found(void *context, const sft_judgement *judgement) {
    judged *j = context;
    j->worst = judgement->severity > j->worst ? judgement->severity : j->worst;
    judged_add(j->codes, sizeof j->codes, " ", judgement->code);
    snprintf(j->detail, sizeof j->detail, "%s", judgement->detail);
    snprintf(j->call, sizeof j->call, "%s", judgement->call != NULL ? judgement->call : "");
    snprintf(j->global, sizeof j->global, "%s", judgement->global != NULL ? judgement->global : "");
    assert_non_null(judgement->opcode);
    assert_true(judgement->at < j->input.size);
    return ++j->count != j->stop_after;
}

static inline bool judged_handed(void *context, const sft_handed *handed) {
    judged *j = context;
    char shown[120];
    sft_show_value(&j->pickle.graph, &j->input, handed->text, shown, sizeof shown);
    judged_add(j->handed, sizeof j->handed, "; ", handed->to_loader ? "!" : "");
    strncat(j->handed, shown, sizeof j->handed - strlen(j->handed) - 1);
    return true;
}

/* Reads and judges; the caller ends with judged_free(). */
static inline judged *judged_new(const char *bytes, size_t size, const sft_policy *policy,
                                 unsigned stop_after) {
    judged *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->bytes = bytes;
    j->input = (sft_pickle_input){j, judged_read, size};
    j->stop_after = stop_after;
    assert_ok(sft_pickle_read(&j->pickle, &j->input, 0, NULL, NULL));
    sft_judge judge = {.policy = policy,
                       .input = &j->input,
                       .input_size = size,
                       .context = j,
                       .found = judged_found,
                       .handed = judged_handed};
    assert_ok(sft_judge_pickle(&j->pickle, &judge, NULL));
    return j;
}

static inline void judged_free(judged *j) {
    sft_pickle_free(&j->pickle);
    free(j);
}

typedef struct judge_case {
    const char *bytes;
    size_t size;
    const char *codes;  /* of the judgements, in order; "": clean */
    const char *detail; /* part of the last one's sentence, or NULL */
    const char *call;   /* of the last one, or NULL */
} judge_case;

#define CASE(bytes, codes, detail, call)                                                           \
    { bytes, sizeof(bytes) - 1, codes, detail, call }
#define CLEAN(bytes) CASE(bytes, "", NULL, NULL)

static inline void expect_case(const judge_case *c, size_t number) {
    judged *j = judged_new(c->bytes, c->size, NULL, 0);
    if (strcmp(j->codes, c->codes) != 0) {
        fail_msg("case %zu: \"%s\" where \"%s\" was expected: %s", number, j->codes, c->codes,
                 j->detail);
    }
    if (c->detail != NULL && strstr(j->detail, c->detail) == NULL) {
        fail_msg("case %zu: \"%s\" does not say \"%s\"", number, j->detail, c->detail);
    }
    if (c->call != NULL) {
        assert_string_equal(j->call, c->call);
    }
    judged_free(j);
}

#define EXPECT(cases)                                                                              \
    do {                                                                                           \
        for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) {                             \
            expect_case(&(cases)[i], i);                                                           \
        }                                                                                          \
    } while (0)

#endif
