"""Views that are drawn when they are looked at, and drawn anew, equal, when looked at again.

A large batch in chunks (`chunks.py`) has every image's views in memory only while its chunk is
computed. A deferred view is a tensor without storage: it has shape, kind and device, takes part in
`torch.cat` and gives slices of rows, deferred too. Every other operation draws it and goes on with
an ordinary tensor, so that no code can mistake it for its values.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.utils._pytree import tree_map_only

from selfsight.joined import Views
from selfsight.randomness import own_randomness

Images = Shaped[Tensor, "batch channels height width"]
Piece = tuple[int, int, int]  # a view's number, the first of its images, the one after the last


class Drawing:
    """How the views of a batch are drawn, `chunk` images at a time."""

    def __init__(self, draw: Callable[[Images], Views], images: Images, *, chunk: int) -> None:
        self._draw, self._images, self.chunk = draw, images, chunk
        self._seeds = torch.randint(2**62, (-(-len(images) // chunk),)).tolist()
        self._latest: dict[int, Views] = {}  # the chunk that was last looked at

    def views(self) -> Views:
        """Return the views of all images, deferred."""
        every = (0, len(self._images))
        return [Deferred(self, [(place, *every)], view) for place, view in enumerate(self.of(0))]

    def of(self, number: int) -> Views:
        """Return the views of chunk `number` of the images: the same at every call."""
        if number not in self._latest:
            self._latest.clear()  # first: two chunks need not have room
            device = self._images.device
            rows = slice(number * self.chunk, (number + 1) * self.chunk)
            with (
                own_randomness(device),
                torch.no_grad(),
                torch.autocast(device.type, enabled=False),
            ):
                torch.manual_seed(self._seeds[number])
                self._latest[number] = self._draw(self._images[rows])
        return self._latest[number]


class Deferred(Tensor):
    """Rows of views, [rows, channels, height, width], that lie nowhere yet.

    drawing: what draws them. pieces: which they are, in order. like: a view of their kind.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, _: Drawing, pieces: list[Piece], like: Tensor) -> "Deferred":
        """Return a tensor without storage."""
        shape = (sum(end - start for _, start, end in pieces), *like.shape[1:])
        made: Deferred = Tensor._make_wrapper_subclass(
            cls, shape, dtype=like.dtype, device=like.device
        )
        return made

    def __init__(self, drawing: Drawing, pieces: list[Piece], _: Tensor) -> None:
        super().__init__()
        self.drawing, self.pieces = drawing, pieces

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, _: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Stay deferred if it can be; otherwise draw, and do what is asked."""
        named = named or {}
        stay = STAYING.get(operation)
        found = None if stay is None else stay(*given, **named)
        if found is not None:
            return found
        given, named = tree_map_only(Deferred, drawn, (given, named))
        return operation(*given, **named)

    def image_at(self, row: int) -> int:
        """Return the number of the image that a row is a view of."""
        for _, start, end in self.pieces:
            if row < end - start:
                return start + row
            row -= end - start
        raise IndexError(row)


def drawn(view: Tensor) -> Tensor:
    """Return the values of a view, an ordinary tensor; of one that is not deferred, itself.

    Rows of one view and one chunk of images share memory with what was drawn.
    """
    if not isinstance(view, Deferred):
        return view
    parts = list(_within_chunks(view))
    if len(parts) == 1:
        ((place, number, rows),) = parts
        return view.drawing.of(number)[place][rows]
    room, filled = torch.empty(view.shape, dtype=view.dtype, device=view.device), 0
    for place, number, rows in parts:
        part = view.drawing.of(number)[place][rows]
        room[filled : filled + len(part)] = part
        filled += len(part)
    return room


def _within_chunks(view: Deferred) -> Iterator[tuple[int, int, slice]]:
    """Give the number of the view, of the chunk of images, and rows of that chunk, in order."""
    chunk = view.drawing.chunk
    for place, start, end in view.pieces:
        for number in range(start // chunk, -(-end // chunk)):
            first = number * chunk
            yield place, number, slice(max(start - first, 0), min(end - first, chunk))


def _rows(
    view: Deferred, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Deferred | None:
    if dim != 0 or step != 1:
        return None
    first, last, _ = slice(start, end).indices(len(view))
    pieces, passed = [], 0
    for place, begin, over in view.pieces:
        low, high = max(first - passed, 0), min(last - passed, over - begin)
        if low < high:
            pieces.append((place, begin + low, begin + high))
        passed += over - begin
    return Deferred(view.drawing, pieces, view)


def _one_below_another(views: list[Tensor], dim: int = 0) -> Deferred | None:
    same = [view for view in views if isinstance(view, Deferred)]
    kinds = {(view.drawing, view.shape[1:]) for view in same}
    if dim != 0 or len(same) < len(views) or len(kinds) != 1:
        return None
    return Deferred(same[0].drawing, [piece for view in same for piece in view.pieces], same[0])


def _itself(view: Deferred) -> Deferred:
    return Deferred(view.drawing, view.pieces, view)


STAYING: dict[Any, Callable[..., Deferred | None]] = {
    torch.ops.aten.slice.Tensor: _rows,
    torch.ops.aten.cat.default: _one_below_another,
    torch.ops.aten.detach.default: _itself,
    torch.ops.aten.alias.default: _itself,
}
