// SPDX-License-Identifier: Apache-2.0
// Each character cell holds 2 x 4 dots. A point lights one dot; neighbours of one series that are
// no more than two columns apart are joined by a vertical run, so that a line reads as a line.
#include "agent/promql/plot.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

constexpr size_t kAxisWidth = 10;
constexpr size_t kMaxNamed = 8;

struct Bounds {
  Millis first = 0, last = 0;
  double low = 0, high = 0;
  bool any = false;

  void Take(const Point& p) {
    if (!std::isfinite(p.v)) return;
    first = any ? std::min(first, p.t) : p.t;
    last = any ? std::max(last, p.t) : p.t;
    low = any ? std::min(low, p.v) : p.v;
    high = any ? std::max(high, p.v) : p.v;
    any = true;
  }
};

class Canvas {
 public:
  Canvas(size_t columns, size_t rows) : columns_(columns), rows_(rows), cells_(columns * rows, 0) {}

  size_t width() const { return columns_ * 2; }
  size_t height() const { return rows_ * 4; }

  void Dot(size_t x, size_t y) {
    static constexpr uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    uint8_t& cell = cells_[(y / 4) * columns_ + x / 2];
    cell = static_cast<uint8_t>(cell | kBits[y % 4][x % 2]);
  }

  // U+2800 and up, as UTF-8.
  std::string Row(size_t row) const {
    std::string out;
    for (size_t c = 0; c < columns_; ++c) {
      uint8_t bits = cells_[row * columns_ + c];
      if (bits == 0) {
        out += ' ';
        continue;
      }
      out += static_cast<char>(0xE2);
      out += static_cast<char>(0xA0 | (bits >> 6));
      out += static_cast<char>(0x80 | (bits & 0x3F));
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  }

 private:
  size_t columns_, rows_;
  std::vector<uint8_t> cells_;
};

size_t Scale(double value, double low, double high, size_t steps) {
  if (!(high > low)) return steps / 2;
  double share = (value - low) / (high - low);
  return static_cast<size_t>(std::lround(share * static_cast<double>(steps - 1)));
}

void Draw(const Series& series, const Bounds& bounds, Canvas& canvas) {
  bool joined = false;
  size_t last_x = 0, last_y = 0;
  for (const Point& p : series.points) {
    if (!std::isfinite(p.v)) {
      joined = false;
      continue;
    }
    size_t x = Scale(static_cast<double>(p.t), static_cast<double>(bounds.first),
                     static_cast<double>(bounds.last), canvas.width());
    size_t y = canvas.height() - 1 - Scale(p.v, bounds.low, bounds.high, canvas.height());
    canvas.Dot(x, y);
    if (joined && x <= last_x + 2) {
      for (size_t k = std::min(y, last_y); k <= std::max(y, last_y); ++k) canvas.Dot(x, k);
    }
    joined = true;
    last_x = x;
    last_y = y;
  }
}

std::string AxisLabel(size_t row, size_t rows, const Bounds& bounds) {
  std::string text;
  if (row == 0) text = Format("%.4g", bounds.high);
  if (row == rows - 1) text = Format("%.4g", bounds.low);
  if (text.size() < kAxisWidth - 2) text.insert(0, kAxisWidth - 2 - text.size(), ' ');
  return text;
}

std::string Legend(const Matrix& matrix) {
  std::string out;
  for (size_t i = 0; i < std::min(matrix.size(), kMaxNamed); ++i) {
    const Series& s = matrix[i];
    std::string last = s.points.empty() ? "-" : FormatValue(s.points.back().v);
    out += StrCat("  ", s.labels.ToString(), "  ", last, "\n");
  }
  if (matrix.size() > kMaxNamed) out += StrCat("  and ", matrix.size() - kMaxNamed, " more\n");
  return out;
}

}  // namespace

std::string Plot(const Matrix& matrix, const PlotSize& size) {
  Bounds bounds;
  for (const Series& s : matrix) {
    for (const Point& p : s.points) bounds.Take(p);
  }
  if (!bounds.any) return StrCat("no values to draw\n", Legend(matrix));
  size_t rows = std::max<size_t>(2, size.height);
  size_t columns = std::max<size_t>(size.width, kAxisWidth + 10) - kAxisWidth;
  Canvas canvas(columns, rows);
  for (const Series& s : matrix) Draw(s, bounds, canvas);
  std::string out;
  for (size_t r = 0; r < rows; ++r) {
    out += StrCat(AxisLabel(r, rows, bounds), " |", canvas.Row(r), "\n");
  }
  std::string from = FormatClockTime(FromUnixMillis(bounds.first));
  std::string to = FormatClockTime(FromUnixMillis(bounds.last));
  size_t gap = columns > from.size() + to.size() ? columns - from.size() - to.size() : 1;
  out += StrCat(std::string(kAxisWidth, ' '), from, std::string(gap, ' '), to, "\n");
  return out + Legend(matrix);
}

}  // namespace rollguard::promql
