"""How weights move: optimizer and learning rate, from a run's settings."""

import optax

from geojax.config.run import Training


def optimizer(settings: Training, updates: int, player: str | None = None) -> optax.GradientTransformation:
    """Clipped AdamW or SGD with momentum for `updates` updates in all of one player."""
    rate = schedule(settings, updates, settings.player_rates.get(player or "", 1.0))
    if settings.optimizer == "adamw":
        rule = optax.adamw(rate, b1=settings.momentum, weight_decay=settings.weight_decay)
    else:
        decay = optax.add_decayed_weights(settings.weight_decay)
        rule = optax.chain(decay, optax.sgd(rate, momentum=settings.momentum or None))
    return optax.chain(optax.clip_by_global_norm(settings.clip_norm), rule)


def schedule(settings: Training, updates: int, multiple: float = 1.0) -> optax.Schedule:
    """Learning rate by update: a linear warm-up, then as the settings say."""
    total = max(updates, 2)
    warm = round(settings.warmup * total)
    rate = multiple * settings.learning_rate
    if settings.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0 if warm else rate, rate, warm, total, rate / 100)
    end = rate / 100 if settings.schedule == "linear" else rate
    rise = optax.linear_schedule(0.0 if warm else rate, rate, warm)
    return optax.join_schedules([rise, optax.linear_schedule(rate, end, total - warm)], [warm])
