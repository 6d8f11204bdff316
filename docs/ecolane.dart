// Ecolane from a Flutter app: docs/flutter.md has every call, field and refusal. Copy it, and take what you need.
import 'dart:io';
import 'dart:typed_data';

import 'package:cloud_firestore/cloud_firestore.dart';
import 'package:cloud_functions/cloud_functions.dart';
import 'package:firebase_auth/firebase_auth.dart';
import 'package:firebase_messaging/firebase_messaging.dart';
import 'package:firebase_storage/firebase_storage.dart';
import 'package:flutter/foundation.dart';
import 'package:flutter/services.dart';
import 'package:flutter_image_compress/flutter_image_compress.dart';
import 'package:image_picker/image_picker.dart';
import 'package:purchases_flutter/purchases_flutter.dart';
import 'package:uuid/uuid.dart';

/// The functions' region: the deploy's REGION.
const region = 'us-central1';

class Ecolane {
  final _auth = FirebaseAuth.instance;
  final _functions = FirebaseFunctions.instanceFor(region: region);
  final _db = FirebaseFirestore.instance;
  final _storage = FirebaseStorage.instance;

  Future<Map<String, dynamic>> _call(
    String function, {
    Map<String, dynamic> data = const {},
    Duration timeout = const Duration(seconds: 60),
  }) async {
    final callable = _functions.httpsCallable(function, options: HttpsCallableOptions(timeout: timeout));
    try {
      final answer = await callable.call<Object?>(data);
      return _json(answer.data);
    } on FirebaseFunctionsException catch (error) {
      throw EcolaneException.of(error);
    }
  }

  // Signing in and uploading

  Future<String> signIn() async => (_auth.currentUser ?? (await _auth.signInAnonymously()).user!).uid;

  Future<File?> pickPhoto(ImageSource source) async {
    final photo = await ImagePicker().pickImage(source: source, maxWidth: 1024, maxHeight: 1024, imageQuality: 85);
    return photo == null ? null : File(photo.path);
  }

  /// Any photo as a small JPEG, HEIC too.
  Future<Uint8List> asJpeg(File photo) async =>
      await FlutterImageCompress.compressWithFile(photo.path, minWidth: 768, minHeight: 768, quality: 85) ??
      await photo.readAsBytes();

  /// Returns the photo's `imagePath`.
  Future<String> upload(File photo, {void Function(double)? onProgress}) async {
    final path = 'users/${_auth.currentUser!.uid}/uploads/${const Uuid().v4()}.jpg';
    final task = _storage.ref(path).putData(await asJpeg(photo), SettableMetadata(contentType: 'image/jpeg'));
    task.snapshotEvents.listen((event) => onProgress?.call(event.bytesTransferred / event.totalBytes), onError: (_) {});
    await task;
    return path;
  }

  // Listening

  Stream<Job> watchJob(String jobId) =>
      _db.doc('aiJobs/$jobId').snapshots().where((found) => found.exists).map((found) => Job.fromJson(_json(found.data())));

  Stream<List<Job>> watchJobs() => _db
      .collection('aiJobs')
      .where('uid', isEqualTo: _auth.currentUser!.uid)
      .orderBy('createdAt', descending: true)
      .limit(20)
      .snapshots()
      .map((found) => [for (final doc in found.docs) Job.fromJson(_json(doc.data()))]);

  Stream<Map<String, dynamic>> watchWallet() => _db
      .doc('users/${_auth.currentUser!.uid}/wallet/main')
      .snapshots()
      .where((found) => found.exists)
      .map((found) => _json(found.data()));

  // Calls

  /// The caller makes the `requestId`, once.
  Future<T> retrying<T>(Future<T> Function() attempt, {int attempts = 4}) async {
    for (var n = 1; ; n++) {
      try {
        return await attempt();
      } on EcolaneException catch (error) {
        if (n == attempts || !_sameKey.contains(error.reason)) rethrow;
        await Future<void>.delayed(error.retryAfter ?? Duration(seconds: 1 << n));
      }
    }
  }

  Future<Job> classify(String imagePath, String mode, int price) {
    final data = {'requestId': const Uuid().v4(), 'imagePath': imagePath, 'mode': mode, 'maxTokens': price};
    return retrying(() async => Job.fromJson(
        await _call('classify_image', data: data, timeout: const Duration(seconds: 120))));
  }

  // Purchases

  Future<Map<String, dynamic>> syncPurchases({String? checkoutId}) =>
      _call('sync_purchases', data: {if (checkoutId != null) 'checkoutId': checkoutId});

  Future<void> startPurchases(String apiKey) async { // the public key of this platform, from RevenueCat
    await Purchases.configure(PurchasesConfiguration(apiKey));
    FirebaseAuth.instance.authStateChanges().listen((user) async {
      if (user != null) {
        await Purchases.logIn(user.uid);
        await syncPurchases(); // also what a store has renewed, or a parent has allowed, meanwhile
      }
    });
  }

  Future<List<(Package, Map)>> offers() async {
    final products = ((await _call('get_billing'))['products'] as List).cast<Map>();
    final packages = (await Purchases.getOfferings()).current?.availablePackages ?? const <Package>[];
    return [
      for (final package in packages)
        for (final product in products)
          if ((product['storeIds'] as List).contains(package.storeProduct.identifier)) (package, product),
    ];
  }

  Future<bool> buyInStore(Package package) async {
    try {
      await Purchases.purchase(PurchaseParams.package(package));
    } on PlatformException catch (error) {
      switch (PurchasesErrorHelper.getErrorCode(error)) {
        case PurchasesErrorCode.purchaseCancelledError:
          return false; // the user has closed the sheet: say nothing
        case PurchasesErrorCode.paymentPendingError:
          return false; // a parent or a bank decides: "Your tokens come once it is paid"
        default:
          rethrow;
      }
    }
    await syncPurchases();
    return true;
  }

  // Pushes

  Future<void> registerDevice(String deviceId, String language) async {
    final messaging = FirebaseMessaging.instance;
    await messaging.requestPermission();
    final token = await messaging.getToken();
    if (token != null) await _register(deviceId, token, language);
    messaging.onTokenRefresh.listen((token) => _register(deviceId, token, language));
  }

  Future<void> _register(String deviceId, String token, String language) {
    final platform = kIsWeb ? 'web' : (defaultTargetPlatform == TargetPlatform.iOS ? 'ios' : 'android');
    return _call('register_device',
        data: {'deviceId': deviceId, 'pushToken': token, 'platform': platform, 'language': language});
  }

  Future<void> signOut(String deviceId) async {
    try {
      await _call('unregister_device', data: {'deviceId': deviceId});
      await FirebaseMessaging.instance.deleteToken();
    } catch (_) {
      // Without a network: the next user who registers here takes the token.
    }
    await _auth.signOut();
  }
}

const _sameKey = {null, 'STORE_UNAVAILABLE', 'AUTH_UNAVAILABLE', 'BILLING_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL'};

/// Reads answers and documents alike: a `Timestamp` becomes the same text as in an answer.
Map<String, dynamic> _json(Object? data) => _plain(data) as Map<String, dynamic>;

Object? _plain(Object? value) => switch (value) {
  Map() => <String, dynamic>{for (final entry in value.entries) entry.key as String: _plain(entry.value)},
  List() => <dynamic>[for (final item in value) _plain(item)],
  Timestamp() => value.toDate().toUtc().toIso8601String(),
  _ => value,
};

class EcolaneException implements Exception {
  EcolaneException(this.code, this.reason, this.message, this.details);

  factory EcolaneException.of(FirebaseFunctionsException error) {
    final details = error.details is Map ? _json(error.details) : const <String, dynamic>{};
    return EcolaneException(error.code, details['reason'] as String?, error.message ?? '', details);
  }

  final String code; // Firebase's, such as resource-exhausted
  final String? reason; // ours; null if no answer came: the call may have taken effect or not
  final String message; // English, for logs
  final Map<String, dynamic> details;

  Duration? get retryAfter {
    final seconds = details['retryAfter'];
    return seconds is int ? Duration(seconds: seconds) : null;
  }

  DateTime? get resetsAt => DateTime.tryParse(details['resetsAt'] as String? ?? '');
}

class Job {
  Job.fromJson(Map<String, dynamic> json)
    : jobId = json['jobId'] as String,
      mode = json['mode'] as String,
      requestedMode = json['requestedMode'] as String,
      status = json['status'] as String,
      tokensCost = json['tokensCost'] as int,
      createdAt = DateTime.parse(json['createdAt'] as String),
      estimatedCompletion = DateTime.tryParse(json['estimatedCompletion'] as String? ?? ''),
      result = json['result'] as Map<String, dynamic>?,
      error = json['error'] as Map<String, dynamic>?,
      closedBecause = json['closedBecause'] as String?;

  final String jobId, mode, requestedMode, status;
  final int tokensCost;
  final DateTime createdAt;
  final DateTime? estimatedCompletion;
  final Map<String, dynamic>? result, error;
  final String? closedBecause;

  bool get isFinal => const {'done', 'failed', 'cancelled'}.contains(status);
  bool get canStillChange => status == 'queued'; // upgrade_job, cancel_job
}

/// Call it right after `initializeApp`, with `localhost`, on an Android emulator, too.
Future<void> useLocalCloud(String host) async {
  await FirebaseAuth.instance.useAuthEmulator(host, 9099);
  FirebaseFirestore.instance.useFirestoreEmulator(host, 8080);
  FirebaseFunctions.instanceFor(region: region).useFunctionsEmulator(host, 5001);
  await FirebaseStorage.instance.useStorageEmulator(host, 9199);
}
