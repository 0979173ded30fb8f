#include "store/checked_files.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "crdt/error.h"
#include "fmt/format.h"
#include "store/leaf_page.h"
#include "sync/digest.h"

namespace syncline {

// The functions that SQLite calls.
struct CheckedFilesCalls {
  // Followed by the file of the layer below.
  struct Handle {
    sqlite3_file base;
    CheckedFiles* owner;
    bool has_pages;
    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static CheckedFiles& owner_of(sqlite3_vfs* vfs) { return *static_cast<CheckedFiles*>(vfs->pAppData); }
  static sqlite3_vfs* below(sqlite3_vfs* vfs) { return owner_of(vfs).base_; }
  static Handle& handle_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static sqlite3_file* below(sqlite3_file* file) { return handle_of(file).below(); }

  static constexpr std::size_t looked_at_max = 4'096;

  // SQLite also reads and writes parts of pages, of the first one's head.
  static bool is_page(const Handle& handle, int size, sqlite3_int64 offset) {
    return handle.has_pages && size >= 512 && (size & (size - 1)) == 0 && offset % size == 0;
  }
  static std::uint64_t checksum(std::string_view page, sqlite3_int64 offset) {
    page.remove_suffix(CheckedFiles::checksum_bytes);
    return hash_bytes(page, static_cast<std::uint64_t>(offset));
  }
  static std::uint64_t stored(std::string_view page) {
    std::uint64_t sum = 0;
    std::memcpy(&sum, page.data() + page.size() - sizeof sum, sizeof sum);
    return sum;
  }
  // Whether a page that fails is whole again once one bit of it is flipped, which it does.
  static bool mend(char* page, std::size_t size, sqlite3_int64 offset) {
    const std::string_view view(page, size);
    const std::uint64_t sum = checksum(view, offset);
    if (std::has_single_bit(sum ^ stored(view))) {
      std::memcpy(page + size - sizeof sum, &sum, sizeof sum);
      return true;
    }
    for (std::size_t bit = 0; bit < 8 * (size - sizeof sum); ++bit) {
      const auto flip = static_cast<char>(1U << (bit % 8));
      page[bit / 8] ^= flip;
      if (checksum(view, offset) == stored(view)) return true;
      page[bit / 8] ^= flip;
    }
    return false;
  }
  static void look_at_damaged(Handle& handle, char* bytes, std::size_t size, sqlite3_int64 offset) {
    CheckedFiles& owner = *handle.owner;
    const std::uint64_t hash = hash_bytes({bytes, size}, 0);
    const auto known = owner.looked_at_.find(offset);
    if (known != owner.looked_at_.end() && known->second == hash) return;
    if (mend(bytes, size, offset)) {
      ++owner.mended_pages_;
      // What is there was read just now, so half of this is as good as all.
      static_cast<void>(
          handle.below()->pMethods->xWrite(handle.below(), bytes, static_cast<int>(size), offset));
      return;
    }
    const auto leaves = leaves_on_page({bytes, size}, size - CheckedFiles::checksum_bytes);
    if (owner.looked_at_.size() < looked_at_max) owner.looked_at_[offset] = hash;
    if (!leaves || owner.looked_at_.size() == looked_at_max) {
      ++owner.damaged_pages_;
      return;
    }
    CheckedFiles::Suspect& suspect = owner.suspects_.emplace_back();
    for (const StoredLeaf& leaf : *leaves) suspect.leaves.emplace_back(leaf.keyspace, std::string(leaf.leaf));
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    Handle& handle = handle_of(file);
    handle.base.pMethods = nullptr;
    handle.owner = &owner_of(vfs);
    handle.has_pages = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    const int code = below(vfs)->xOpen(below(vfs), name, handle.below(), flags, out_flags);
    if (handle.below()->pMethods != nullptr) handle.base.pMethods = &methods;
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync) {
    return below(vfs)->xDelete(below(vfs), name, sync);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return below(vfs)->xAccess(below(vfs), name, flags, out);
  }
  static int full_name(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return below(vfs)->xFullPathname(below(vfs), name, size, out);
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    return below(vfs)->xRandomness(below(vfs), size, out);
  }
  static int wait(sqlite3_vfs* vfs, int micros) { return below(vfs)->xSleep(below(vfs), micros); }
  static int now(sqlite3_vfs* vfs, double* days) { return below(vfs)->xCurrentTime(below(vfs), days); }
  static int last_error(sqlite3_vfs* vfs, int size, char* out) {
    return below(vfs)->xGetLastError != nullptr ? below(vfs)->xGetLastError(below(vfs), size, out) : 0;
  }

  static int close(sqlite3_file* file) { return below(file)->pMethods->xClose(below(file)); }
  static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    const int code = below(file)->pMethods->xRead(below(file), out, size, offset);
    Handle& handle = handle_of(file);
    if (code != SQLITE_OK || !is_page(handle, size, offset)) return code;
    auto* const page = static_cast<char*>(out);
    const std::string_view view(page, static_cast<std::size_t>(size));
    if (stored(view) != checksum(view, offset)) look_at_damaged(handle, page, view.size(), offset);
    return code;
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    Handle& handle = handle_of(file);
    if (is_page(handle, size, offset)) {
      std::string& page = handle.owner->page_;
      page.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
      const std::uint64_t sum = checksum(page, offset);
      std::memcpy(page.data() + page.size() - sizeof sum, &sum, sizeof sum);
      data = page.data();
    }
    return below(file)->pMethods->xWrite(below(file), data, size, offset);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    return below(file)->pMethods->xTruncate(below(file), size);
  }
  static int sync(sqlite3_file* file, int flags) { return below(file)->pMethods->xSync(below(file), flags); }
  static int file_size(sqlite3_file* file, sqlite3_int64* out) {
    return below(file)->pMethods->xFileSize(below(file), out);
  }
  static int lock(sqlite3_file* file, int level) { return below(file)->pMethods->xLock(below(file), level); }
  static int unlock(sqlite3_file* file, int level) {
    return below(file)->pMethods->xUnlock(below(file), level);
  }
  static int is_reserved(sqlite3_file* file, int* out) {
    return below(file)->pMethods->xCheckReservedLock(below(file), out);
  }
  static int control(sqlite3_file* file, int operation, void* argument) {
    return below(file)->pMethods->xFileControl(below(file), operation, argument);
  }
  static int sector_size(sqlite3_file* file) { return below(file)->pMethods->xSectorSize(below(file)); }
  static int traits(sqlite3_file* file) { return below(file)->pMethods->xDeviceCharacteristics(below(file)); }

  static const sqlite3_io_methods methods;
};

// Version 1: no shared memory and no mapping, which would go past the checksums.
const sqlite3_io_methods CheckedFilesCalls::methods = {
    .iVersion = 1,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = traits,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

CheckedFiles::CheckedFiles(const std::string& base)
    : base_(sqlite3_vfs_find(base.empty() ? nullptr : base.c_str())),
      name_(fmt::format("syncline-{}", static_cast<const void*>(this))) {
  SYNCLINE_ASSERT(base_ != nullptr);
  static_assert(sizeof(CheckedFilesCalls::Handle) % sizeof(void*) == 0);  // Aligned for what follows.
  vfs_.iVersion = 1;
  vfs_.szOsFile = static_cast<int>(sizeof(CheckedFilesCalls::Handle)) + base_->szOsFile;
  vfs_.mxPathname = base_->mxPathname;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = CheckedFilesCalls::open;
  vfs_.xDelete = CheckedFilesCalls::remove;
  vfs_.xAccess = CheckedFilesCalls::access;
  vfs_.xFullPathname = CheckedFilesCalls::full_name;
  vfs_.xRandomness = CheckedFilesCalls::randomness;
  vfs_.xSleep = CheckedFilesCalls::wait;
  vfs_.xCurrentTime = CheckedFilesCalls::now;
  vfs_.xGetLastError = CheckedFilesCalls::last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

int CheckedFiles::read_page(sqlite3_file* file, std::string& page, std::int64_t offset) {
  sqlite3_file* const below = CheckedFilesCalls::below(file);
  return below->pMethods->xRead(below, page.data(), static_cast<int>(page.size()), offset);
}

bool CheckedFiles::is_whole(const std::string& page, std::int64_t offset) {
  return CheckedFilesCalls::stored(page) == CheckedFilesCalls::checksum(page, offset);
}

CheckedFiles::~CheckedFiles() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace syncline
