#include "store/side_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "sync/digest.h"

namespace syncline {
namespace {

constexpr std::size_t text_bytes_max = 4 * 1024;

// An open file of the system's.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool write(std::string_view text) const {
    while (!text.empty()) {
      const auto written = ::write(fd_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  bool sync() const { return ::fsync(fd_) == 0; }

 private:
  int fd_;
};

tl::unexpected<Error> failed(std::string_view doing, const std::string& path) {
  const Errc code = errno == ENOSPC || errno == EDQUOT ? Errc::disk_full : Errc::storage;
  return failure(code, fmt::format("{} {}: {}", doing, path, std::strerror(errno)));
}

// A file's first bytes.
std::optional<std::string> read(const std::string& path) {
  const File file(path, O_RDONLY);
  if (!file) return std::nullopt;
  std::string text(text_bytes_max, '\0');
  const auto size = ::read(file.fd(), text.data(), text.size());
  if (size < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Result<void> sync_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const File file(folder, O_RDONLY | O_DIRECTORY);
  if (!file || !file.sync()) return failed("syncing", folder);
  return {};
}

}  // namespace

Result<void> rename_synced(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("renaming", from);
  return sync_folder_of(to);
}

std::optional<std::string> SideFile::seal() const {
  // Containers often have none. The kernel draws its boot id at each start, so that is one machine's alone.
  const std::string machine = read(machine_id_path_).value_or(std::string());
  const auto boot = read("/proc/sys/kernel/random/boot_id");
  const auto said = text();
  struct stat facts {};
  if (!boot || boot->empty() || !said || ::stat(path_.c_str(), &facts) != 0) {
    return std::nullopt;
  }
  // A machine's id is nobody else's business: its hash does.
  return fmt::format("machine {:016x} boot {:016x} device {} inode {} changed {}.{:09} text {:016x}",
                     hash_bytes(machine, 1), hash_bytes(*boot, 1), facts.st_dev, facts.st_ino,
                     facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec, hash_bytes(*said, 1));
}

std::optional<std::string> SideFile::text() const { return read(path_); }

Result<void> SideFile::write(std::string_view text) const {
  const std::string fresh = path_ + ".new";
  {
    const File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file || !file.write(text) || !file.sync()) return failed("writing", fresh);
  }
  return rename_synced(fresh, path_);
}

Result<void> SideFile::remove() const {
  if (::unlink(path_.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return failed("removing", path_);
  }
  return sync_folder_of(path_);
}

std::string holder() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return fmt::format("process {} on {}", ::getpid(), host.data());
}

}  // namespace syncline
