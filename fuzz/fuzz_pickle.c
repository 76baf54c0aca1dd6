/* A pickle: whatever its bytes, the graph is whole, small, and the same for every way to read. */
#include "check_pickle.h"
#include "pickle/judge.h"
#include "target.h"

/* Raw bytes behind a BUILD, as many as the byte there says; some of them are beyond the end. */
static bool raw_bytes(void *context, const sft_graph *graph, sft_ref object, uint64_t position,
                      uint64_t *raw_offset, uint64_t *raw_size, uint64_t *next) {
    const check_input *input = context;
    fuzz_require(sft_graph_kind(graph, object) == SFT_VALUE_OBJECT, "BUILD on what is no object");
    if (position >= input->size || input->bytes[position] % 2 == 0) {
        return false;
    }
    *raw_offset = position + 1;
    *raw_size = input->bytes[position] / 2;
    *next = *raw_offset + *raw_size;
    return true;
}

static void read_pickle(sft_pickle *pickle, check_input *input, uint64_t start,
                        sft_pickle_options options) {
    input->next = start;
    input->wrong = false;
    options.after_build_context = input;
    const sft_pickle_input given = check_input_of(input);
    sft_status status = sft_pickle_read(pickle, &given, start, &options, NULL);
    fuzz_require(!input->wrong, "the input was read backwards, or beyond its end");
    fuzz_require(status == SFT_OK, "neither read nor refused");
    fuzz_expect(check_pickle(pickle, input->size));
}

/* Where texts are kept changes nothing else. */
static void compare(const sft_pickle *a, const sft_pickle *b) {
    fuzz_require(a->end == b->end && a->position == b->position && a->result == b->result,
                 "two ends of one pickle");
    fuzz_require(a->graph.value_count == b->graph.value_count &&
                     a->graph.link_count == b->graph.link_count &&
                     a->graph.effect_count == b->graph.effect_count,
                 "two graphs of one pickle");
    for (uint64_t i = 0; i < a->graph.effect_count; i++) {
        const sft_effect *left = &a->graph.effects[i];
        const sft_effect *right = &b->graph.effects[i];
        fuzz_require(left->kind == right->kind && left->subject == right->subject &&
                         left->argument == right->argument && left->at == right->at,
                     "two effects of one opcode");
    }
}

/* Up to its limit, a smaller budget sees what a larger one does. */
static void compare_limited(const sft_pickle *whole, const sft_pickle *limited) {
    if (limited->end != SFT_PICKLE_LIMIT) {
        compare(whole, limited);
        return;
    }
    fuzz_require(limited->position <= whole->position, "a limit behind the end");
    fuzz_require(limited->graph.effect_count <= whole->graph.effect_count, "effects by a limit");
}

typedef struct judged {
    uint64_t count;
    uint64_t at; /* of the last one */
} judged;

static bool take_judgement(void *context, const sft_judgement *judgement) {
    judged *all = context;
    fuzz_require(judgement->code != NULL && judgement->detail != NULL, "a judgement without words");
    fuzz_require(judgement->effect == NULL || judgement->at >= all->at, "judged out of order");
    all->at = judgement->effect != NULL ? judgement->at : all->at;
    all->count++;
    return true;
}

/* Graphs that end anywhere can be judged. */
static void judge(const sft_pickle *pickle, check_input *input) {
    judged all = {0, 0};
    const sft_pickle_input given = check_input_of(input);
    const sft_judge judge = {
        .input = &given, .input_size = input->size, .context = &all, .found = take_judgement};
    input->next = 0;
    fuzz_require(sft_judge_pickle(pickle, &judge, NULL) == SFT_OK, "neither clean nor not");
}

/* The first byte says how to read, the second how many bytes lie before the pickle. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    size_t before = data[1] % 4 < size - 2 ? data[1] % 4 : 0;
    check_input input = {data + 2, size - 2, 0, false};
    sft_pickle_options options = {.text_in_memory = 4096};
    if (data[0] % 4 == 3) {
        options.after_build = raw_bytes;
    }
    sft_pickle whole;
    read_pickle(&whole, &input, before, options);
    judge(&whole, &input);

    sft_pickle other;
    options.memory = 256 + UINT64_C(64) * data[0];
    read_pickle(&other, &input, before, options);
    compare_limited(&whole, &other);
    judge(&other, &input);
    sft_pickle_free(&other);

    /* Texts that are not in memory are not looked at: more may go on than before. */
    options.memory = 0;
    options.text_in_memory = 2;
    read_pickle(&other, &input, before, options);
    if (whole.end == SFT_PICKLE_STOPPED) {
        compare(&whole, &other);
    }
    sft_pickle_free(&other);
    sft_pickle_free(&whole);
    return 0;
}
