// What the pages use of Firebase's SDK. One file, since Google's own modules fetch each other from Google's servers: a page
// that runs without a network, or under a strict policy for scripts, cannot load them.
export { initializeApp } from "firebase/app";
export {
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  getAuth,
  onIdTokenChanged,
  signInAnonymously,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  signOut,
} from "firebase/auth";
export {
  Timestamp,
  collection,
  connectFirestoreEmulator,
  doc,
  getFirestore,
  limit,
  onSnapshot,
  orderBy,
  query,
  where,
} from "firebase/firestore";
export { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";
export { connectStorageEmulator, getDownloadURL, getStorage, ref, uploadBytesResumable } from "firebase/storage";
