#include "wire/compressed.h"

#include <zstd.h>

#include <cstddef>
#include <memory>
#include <new>

namespace syncline {
namespace {

// The fastest of the ordinary levels: docs/performance.md has what others would save.
constexpr int level = 1;
// Below this, what is saved is hardly a packet.
constexpr std::size_t body_bytes_min = 512;
// Of more than this, so much is tried first, taken from all over the body: keys stand
// apart from payloads, and what can't be compressed is found out early.
constexpr std::size_t sample_bytes = 8 * 1024;
constexpr std::size_t sample_pieces = 8;
// How each frame begins. What doesn't isn't shown to the library, which knows other formats, too.
constexpr std::string_view magic("\x28\xb5\x2f\xfd", 4);

// Of this thread, for all its sessions: making one asks the processor what it can do, which in a virtual
// machine takes longer than a small chunk.
template <class Context, Context* (*create)(), std::size_t (*release)(Context*)>
Context* context() {
  struct Release {
    void operator()(Context* made) const { release(made); }
  };
  thread_local const std::unique_ptr<Context, Release> one(create());
  if (one == nullptr) throw std::bad_alloc();
  return one.get();
}
ZSTD_CCtx* compressor() { return context<ZSTD_CCtx, ZSTD_createCCtx, ZSTD_freeCCtx>(); }
ZSTD_DCtx* decompressor() { return context<ZSTD_DCtx, ZSTD_createDCtx, ZSTD_freeDCtx>(); }

// So much is at most left of so many bytes, or they go as they are.
constexpr std::size_t worth_it(std::size_t bytes) { return bytes - bytes / 8; }

std::string sample_of(std::string_view body) {
  constexpr std::size_t piece = sample_bytes / sample_pieces;
  std::string sample;
  sample.reserve(sample_bytes);
  for (std::size_t i = 0; i < sample_pieces; ++i)
    sample += body.substr((body.size() - piece) * i / (sample_pieces - 1), piece);
  return sample;
}

// In at most `bytes_max`, or nothing.
std::optional<std::string> compress_into(std::size_t bytes_max, std::string_view body) {
  std::string out(bytes_max, '\0');
  const std::size_t bytes =
      ZSTD_compressCCtx(compressor(), out.data(), out.size(), body.data(), body.size(), level);
  if (ZSTD_isError(bytes) != 0) return std::nullopt;  // It didn't fit.
  out.resize(bytes);
  return out;
}

}  // namespace

std::optional<std::string> compress(std::string_view body) {
  if (body.size() < body_bytes_min) return std::nullopt;
  // Little repeats within a sample: what saves a sixteenth there is likely to save an eighth of all.
  constexpr std::size_t of_sample = sample_bytes - sample_bytes / 16;
  if (body.size() > 2 * sample_bytes && !compress_into(of_sample, sample_of(body))) return std::nullopt;
  return compress_into(worth_it(body.size()), body);
}

Result<std::string> decompress(std::string_view compressed, const WireLimits& limits) {
  // One frame and nothing else: the library would also take several.
  if (!compressed.starts_with(magic) ||
      ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) != compressed.size())
    return failure(Errc::malformed, "compressed: not one frame");
  const auto claimed = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN || claimed == ZSTD_CONTENTSIZE_ERROR)
    return failure(Errc::malformed, "compressed: no size");
  if (claimed > limits.message_bytes_max || claimed > compressed.size() * limits.body_bytes_per_byte_max)
    return failure(Errc::limit, "compressed: turns into too much");
  std::string body(static_cast<std::size_t>(claimed), '\0');
  const std::size_t bytes =
      ZSTD_decompressDCtx(decompressor(), body.data(), body.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(bytes) != 0 || bytes != body.size())
    return failure(Errc::malformed, "compressed: can't be read, or isn't of its size");
  return body;
}

}  // namespace syncline
