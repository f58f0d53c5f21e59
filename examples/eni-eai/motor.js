// Stands for a motor: it says what it does.

export class Motor {
  #direction;

  get isMoving() {
    return this.#direction !== undefined;
  }

  move(direction) {
    if (this.#direction !== direction) console.log('motor moves', direction);
    this.#direction = direction;
  }

  stop(why) {
    if (this.isMoving) console.log('motor stopped:', why);
    this.#direction = undefined;
  }
}
