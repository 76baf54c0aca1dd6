/*
 * rapidjson_bench FILE - a bare parse of the file's header by RapidJSON: Document::Parse with
 * its default flags, which checks JSON's grammar and no rule of the format. Prints what
 * header_bench prints.
 */
#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

constexpr std::size_t repeats = 7;

std::string read_header(const char *path) {
    std::ifstream file(path, std::ios::binary);
    std::array<unsigned char, 8> prefix{};
    file.read(reinterpret_cast<char *>(prefix.data()), prefix.size());
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < prefix.size(); i++) {
        length |= static_cast<std::uint64_t>(prefix[i]) << (8 * i);
    }
    if (!file) {
        return {};
    }
    std::string text(static_cast<std::size_t>(length), '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    return file ? text : std::string();
}

/* Freeing the document is not in the clock. Negative if the text is not JSON. */
double time_parse(const std::string &text, std::uint64_t &sum) {
    rapidjson::Document document;
    const auto start = std::chrono::steady_clock::now();
    document.Parse(text.data(), text.size());
    const auto end = std::chrono::steady_clock::now();
    if (document.HasParseError() || !document.IsObject()) {
        return -1.0;
    }
    sum += document.MemberCount();
    return std::chrono::duration<double>(end - start).count();
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fputs("usage: rapidjson_bench FILE\n", stderr);
        return 64;
    }
    const std::string text = read_header(argv[1]);
    std::uint64_t sum = 0;
    const double first = time_parse(text, sum);
    std::array<double, repeats> again{};
    for (double &seconds : again) {
        seconds = time_parse(text, sum);
    }
    std::sort(again.begin(), again.end());
    if (first < 0) {
        std::fprintf(stderr, "rapidjson_bench: %s: cannot be read or parsed\n", argv[1]);
        return 1;
    }
    std::printf("{\"first_s\":%.9f,\"again_s\":%.9f,\"bytes\":%zu,\"sum\":%llu}\n", first,
                again.at(repeats / 2), text.size(), static_cast<unsigned long long>(sum));
    return 0;
}
